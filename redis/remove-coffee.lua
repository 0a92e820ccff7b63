-- remove-coffee
-- Takes a coffee off the menu. Orders that are placed already are made all the same.
-- Needs    shop.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  id
-- Returns  1 where it was there, else 0

keep_menu()
local removed = redis.call('HDEL', key.menu, ARGV[1])
if removed == 1 then
  append_to_events('menu.changed', '', cjson.encode({ id = ARGV[1] }))
end
return removed
