-- list-queues
-- Measures queues of machines.
-- Needs lib/keys.lua lib/clock.lua lib/measures.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  queues
-- Returns  per queue {queued, scheduled, brewing, how long the oldest queued order waits in ms or -1,
--          {worker (JSON), when it last asked for an order (ms since 1970) …}}

local WORKERS_SHOWN, SEEN_MS = 100, 3600000

local function measure(queue)
  local workers = try('ZRANGEBYSCORE', key.workers(queue), now_ms - SEEN_MS, '+inf', 'WITHSCORES', 'LIMIT', 0, WORKERS_SHOWN) or {}
  for i = 2, #workers, 2 do
    workers[i] = tonumber(workers[i])
  end
  return { depth_of(queue), count(key.scheduled(queue)), count(key.leases(queue)), oldest_wait_ms(queue), workers }
end

local measures = {}
for i, queue in ipairs(ARGV) do
  measures[i] = measure(queue)
end
return measures
