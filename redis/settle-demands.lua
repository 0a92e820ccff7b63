-- settle-demands
-- Drops demands from their stream: each has become an order or a dead letter.
-- Needs lib/keys.lua lib/format.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[…]  ids of demands
-- Returns  how many were dropped

local stream = key.demands(ARGV[1])
redis.call('XACK', stream, DEMAND_GROUP, unpack(ARGV, 2))
return redis.call('XDEL', stream, unpack(ARGV, 2))
