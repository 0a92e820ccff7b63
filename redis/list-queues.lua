-- list-queues
-- Measures queues of machines.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  queues
-- Returns  per queue {queued, scheduled, brewing, how long the oldest queued order waits in ms or -1,
--          {worker (JSON), when it last asked for an order (ms since 1970) …}}

local WORKERS_SHOWN, SEEN_MS = 100, 3600000

-- (A damaged index of one queue hides no other queue.)
local function count(index)
  return try('ZCARD', index) or 0
end

local function measure(queue)
  local oldest = (try('ZRANGE', key.waiting(queue), 0, 0) or {})[1]
  local order = oldest and read_orders({ oldest })[oldest]
  local since_ms = order and waits_since_ms(oldest, order)
  local workers = try('ZRANGEBYSCORE', key.workers(queue), now_ms - SEEN_MS, '+inf', 'WITHSCORES', 'LIMIT', 0, WORKERS_SHOWN) or {}
  for i = 2, #workers, 2 do
    workers[i] = tonumber(workers[i])
  end
  return {
    count(key.waiting(queue)) + count(key.delayed(queue)), count(key.scheduled(queue)), count(key.leases(queue)),
    since_ms and now_ms - since_ms or -1, workers,
  }
end

local measures = {}
for i, queue in ipairs(ARGV) do
  measures[i] = measure(queue)
end
return measures
