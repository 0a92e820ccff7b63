-- change-shop
-- Changes settings of the shop: in force for every order that is placed from now on, on all replicas.
-- Needs lib/keys.lua lib/clock.lua lib/events.lua lib/settings.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per setting: name, value (a JSON literal)
-- Returns  1 where something is different now, else 0

local before = encode_settings()
redis.call('HSET', key.settings, unpack(ARGV))
kept_settings = nil
local after = encode_settings()
if after == before then
  return 0
end
add_event('shop.changed', '', string.sub(after, 2, -2))
append_events()
return 1
