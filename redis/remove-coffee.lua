-- remove-coffee
-- Takes a coffee off the menu. Orders that are placed already are made all the same.
-- Needs lib/keys.lua lib/clock.lua lib/events.lua lib/settings.lua lib/menu.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  id
-- Returns  1 where it was there, else 0

keep_menu()
local removed = redis.call('HDEL', key.menu, ARGV[1])
if removed == 1 then
  add_event('menu.changed', '', '\"id\":' .. cjson.encode(ARGV[1]))
  append_events()
end
return removed
