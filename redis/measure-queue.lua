-- Measures a queue.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- Returns  {orders queued, orders brewing, ms since the oldest queued order was placed or -1}

local queue = ARGV[1]
local oldest = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
local oldest_ms = oldest and now_ms - placed_ms(oldest) or -1
return { redis.call('ZCARD', key.waiting(queue)), redis.call('ZCARD', key.leases(queue)), oldest_ms }
