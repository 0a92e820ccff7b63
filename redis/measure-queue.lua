-- Measures a queue.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- Returns  {orders queued, orders brewing, ms since the oldest queued order was placed or -1,
--          orders of the shop that are set aside as damaged}

local queue = ARGV[1]
local oldest = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
local placed_at_ms = oldest and placed_ms(oldest)
local oldest_ms = placed_at_ms and now_ms - placed_at_ms or -1
local damaged = try('ZCARD', key.damaged) or 0
return { redis.call('ZCARD', key.waiting(queue)), redis.call('ZCARD', key.leases(queue)), oldest_ms, damaged }
