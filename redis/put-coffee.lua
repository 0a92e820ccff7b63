-- put-coffee
-- Puts a coffee on the menu, or changes it: in force for every order that is placed from now on.
-- Needs lib/keys.lua lib/clock.lua lib/events.lua lib/settings.lua lib/menu.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  id
-- ARGV[2]  the coffee as JSON, without its id
-- ARGV[3]  most coffees on a menu
-- Returns  'created' | 'changed' | 'full'

local id, json, max_coffees = ARGV[1], ARGV[2], tonumber(ARGV[3])
keep_menu()
local before = redis.call('HGET', key.menu, id)
if not before and redis.call('HLEN', key.menu) >= max_coffees then
  return 'full'
end
if before ~= json then
  redis.call('HSET', key.menu, id, json)
  add_event('menu.changed', '', '\"id\":' .. cjson.encode(id))
  append_events()
end
return before and 'changed' or 'created'
