-- measure-queue
-- Measures a queue.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- Returns  {orders queued, orders brewing, how long the oldest queued order waits in ms or -1,
--          orders set aside as damaged}

local queue = ARGV[1]
local oldest = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
local order = oldest and read_orders({ oldest })[oldest]
local since_ms = order and waits_since_ms(oldest, order)
local depth = redis.call('ZCARD', key.waiting(queue)) + redis.call('ZCARD', key.delayed(queue))
local waited_ms = since_ms and now_ms - since_ms or -1
return { depth, redis.call('ZCARD', key.leases(queue)), waited_ms, try('ZCARD', key.damaged) or 0 }
