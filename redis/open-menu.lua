-- open-menu
-- Writes the first menu of a shop that never had one. One that staff have emptied stays empty.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per coffee: id, the coffee as JSON

if redis.call('HSETNX', key.settings, 'has_menu', 'true') == 1 then
  redis.call('HSET', key.menu, unpack(ARGV))
end
