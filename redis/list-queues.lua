-- list-queues
-- Measures queues of machines.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  queues
-- Returns  per queue {queued, scheduled, brewing, ms since the oldest queued order was placed or -1,
--          {worker (JSON), when it last asked for an order (ms since 1970) …}}

local WORKERS_SHOWN, SEEN_MS = 100, 3600000

local function measure(queue)
  local oldest = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
  local placed_at_ms = oldest and placed_ms(oldest, queue)
  local workers = redis.call('ZRANGEBYSCORE', key.workers(queue), now_ms - SEEN_MS, '+inf', 'WITHSCORES', 'LIMIT', 0, WORKERS_SHOWN)
  for i = 2, #workers, 2 do
    workers[i] = tonumber(workers[i])
  end
  return {
    redis.call('ZCARD', key.waiting(queue)) + redis.call('ZCARD', key.delayed(queue)), redis.call('ZCARD', key.scheduled(queue)),
    redis.call('ZCARD', key.leases(queue)), placed_at_ms and now_ms - placed_at_ms or -1, workers,
  }
end

local measures = {}
for i, queue in ipairs(ARGV) do
  measures[i] = measure(queue)
end
return measures
