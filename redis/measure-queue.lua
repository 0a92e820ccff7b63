-- measure-queue
-- Measures a queue.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- Returns  {orders queued, orders brewing, ms since the oldest queued order was placed or -1,
--          orders set aside as damaged}

local queue = ARGV[1]
local oldest = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
local placed_at_ms = oldest and placed_ms(oldest, queue)
local depth = redis.call('ZCARD', key.waiting(queue)) + redis.call('ZCARD', key.delayed(queue))
local waited_ms = placed_at_ms and now_ms - placed_at_ms or -1
return { depth, redis.call('ZCARD', key.leases(queue)), waited_ms, try('ZCARD', key.damaged) or 0 }
