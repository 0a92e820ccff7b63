-- forget-orders
-- Forgets what retention has removed: index entries whose order is gone; workers that have asked for nothing, and servers
-- that have given nothing out, for an hour.
-- Needs lib/keys.lua lib/clock.lua lib/damage.lua lib/queue-rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[2]  how many of the oldest index entries to pass over: those that an earlier call found still kept
-- Returns  {entries found still kept, 1 where there is more to look at and 0 at the end}
--
-- The orders of a queue of machines have indexes of their own. Open ones stand first in them: there are at most as many
-- as the queue takes.

local retention_ms = tonumber(ARGV[1])
local skip = tonumber(ARGV[2])
local EXAMINED = 500
local IDLE_MS = 3600000
local MAX_WORKERS = 1000

local ids = try('ZRANGEBYSCORE', key.orders, '-inf', now_ms - retention_ms, 'LIMIT', skip, EXAMINED) or {}
local kept = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', key.order(id)) == 1 then
    kept = kept + 1
  else
    redis.call('ZREM', key.orders, id)
  end
end

local MAX_PAGES = 8

-- Drops the entries at an index's start whose order is gone. `read` gives so many, from a rank on; `id_of` the order of
-- one. Whether there may be more.
local function forget_first(index, read, id_of, drop)
  local first = 0
  for _ = 1, MAX_PAGES do
    local entries = read(first) or {}
    for _, entry in ipairs(entries) do
      if redis.call('EXISTS', key.order(id_of(entry))) == 1 then
        first = first + 1
      else
        drop(entry)
      end
    end
    if #entries < EXAMINED then
      return false
    end
  end
  return true
end

local function forget_calls(queue, rules)
  local calls, labels, numbers = key.calls(queue), key.call_labels(queue), key.call_numbers(queue)
  local is_more = forget_first(calls, function(first)
    return try('ZRANGEBYSCORE', calls, '-inf', now_ms - rules.retention_ms, 'LIMIT', first, EXAMINED)
  end, function(id)
    return id
  end, function(id)
    redis.call('ZREM', calls, id)
  end)
  -- (An entry is `<order id> <label>`, its score the order's number.)
  return forget_first(numbers, function(first)
    return try('ZRANGE', numbers, first, first + EXAMINED - 1)
  end, function(entry)
    return string.sub(entry, 1, 36)
  end, function(entry)
    local id, label = string.match(entry, '^(%S+) (%S+)$')
    local number = redis.call('ZSCORE', numbers, entry)
    redis.call('ZREM', numbers, entry)
    if id then
      try('ZREM', labels, label .. ' ' .. number .. ' ' .. id)
    end
  end) or is_more
end

local function forget_dead()
  local is_more = false
  for _, index in ipairs({ key.dead, key.buried }) do
    is_more = forget_first(index, function(first)
      return try('ZRANGE', index, first, first + EXAMINED - 1)
    end, function(id)
      return id
    end, function(id)
      redis.call('ZREM', index, id)
    end) or is_more
  end
  return is_more
end

local is_more = false
for _, queue in ipairs(known_queues()) do
  local rules = queue_rules_of(queue)
  if rules then
    is_more = forget_calls(queue, rules) or is_more
    try('ZREMRANGEBYSCORE', key.workers(queue), '-inf', now_ms - IDLE_MS)
    try('ZREMRANGEBYRANK', key.workers(queue), 0, -1 - MAX_WORKERS)
  end
  -- Before the first start there is no group, so no consumer to forget.
  for _, consumer in ipairs(try('XINFO', 'CONSUMERS', key.queue(queue), 'baristas') or {}) do
    -- Flat pairs: name, pending, idle (ms), and since 7.2 inactive.
    local name, idle_ms = consumer[2], consumer[6]
    if idle_ms > IDLE_MS then
      redis.call('XGROUP', 'DELCONSUMER', key.queue(queue), 'baristas', name)
    end
  end
end
is_more = forget_dead() or is_more or #ids == EXAMINED
return { kept, is_more and 1 or 0 }
