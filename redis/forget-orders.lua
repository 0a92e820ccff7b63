-- forget-orders
-- Forgets what retention has removed: index entries whose order is gone, and servers that have given nothing out for an
-- hour.
-- Needs lib/keys.lua lib/clock.lua lib/damage.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[2]  how many of the oldest index entries to pass over: those that an earlier call found still kept
-- Returns  {entries found still kept, 1 where there is more to look at and 0 at the end}

local retention_ms = tonumber(ARGV[1])
local skip = tonumber(ARGV[2])
local EXAMINED = 500
local IDLE_MS = 3600000

local ids = try('ZRANGEBYSCORE', key.orders, '-inf', now_ms - retention_ms, 'LIMIT', skip, EXAMINED) or {}
local kept = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', key.order(id)) == 1 then
    kept = kept + 1
  else
    redis.call('ZREM', key.orders, id)
  end
end

for _, queue in ipairs(known_queues()) do
  -- Before the first start there is no group, so no consumer to forget.
  for _, consumer in ipairs(try('XINFO', 'CONSUMERS', key.queue(queue), 'baristas') or {}) do
    -- Flat pairs: name, pending, idle (ms), and since 7.2 inactive.
    local name, idle_ms = consumer[2], consumer[6]
    if idle_ms > IDLE_MS then
      redis.call('XGROUP', 'DELCONSUMER', key.queue(queue), 'baristas', name)
    end
  end
end
return { kept, #ids == EXAMINED and 1 or 0 }
