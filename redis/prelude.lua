-- Stands before every script (src/redis/script.ts puts it there): the shop's keys, the clock, and the steps that verbs share.
-- KEYS[1]  the shop's prefix, `{main}:`. It names no key; its hash tag puts the script into the shop's slot,
--          and every key of the shop is built from it here.
-- ARGV     is each script's own. Batches: shared arguments first, then `width` arguments for each item.

local EVENTS_KEPT = 100000   -- about 40 MB
local WAITS_KEPT = 51        -- recent waits that the expected wait is the median of
local WAITS_MS = 86400000    -- an expected wait of yesterday is none
local BELL_MS = 120000       -- outlives the longest block of a lane (30 s) and a reconnect
local CLAIM_SPENT_MS = 10000 -- outlives what is still on its way when an order is final

local shop = KEYS[1]
local key = {
  events = shop .. 'events',
  orders = shop .. 'orders',
  queues = shop .. 'queues',
  wake = shop .. 'wake',
  bell = function(id) return shop .. 'bell:' .. id end,
  claim = function(claim) return shop .. 'claim:' .. claim end,
  leases = function(queue) return shop .. 'leases:' .. queue end,
  numbers = function(date) return shop .. 'numbers:' .. date end,
  once = function(idempotency_key) return shop .. 'once:' .. idempotency_key end,
  order = function(id) return shop .. 'order:' .. id end,
  orders_of = function(customer_id) return shop .. 'orders:of:' .. customer_id end,
  queue = function(queue) return shop .. 'queue:' .. queue end,
  waiting = function(queue) return shop .. 'waiting:' .. queue end,
  waits = function(queue) return shop .. 'waits:' .. queue end,
}

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- Answers what `handle` says of each item of `width` arguments from ARGV[first] on.
-- An item that fails answers {'failed', why}, and the others go on.
local function each_item(first, width, handle)
  local replies = {}
  for at = first, #ARGV, width do
    local ok, reply = pcall(handle, unpack(ARGV, at, at + width - 1))
    if not ok then
      reply = { 'failed', type(reply) == 'table' and reply.err or tostring(reply) }
    end
    replies[#replies + 1] = reply
  end
  return replies
end

-- The named fields of an order as a table; status is nil where there is no such order.
local function read_order(id, ...)
  local values = redis.call('HMGET', key.order(id), 'status', 'queue', 'entry', 'barista', ...)
  local order = { status = values[1] or nil, queue = values[2], entry = values[3], barista = values[4] or '' }
  for i, name in ipairs({ ... }) do
    order[name] = values[4 + i] or nil
  end
  return order
end

-- An order's fields as a JSON object of strings; nil where there is none. One string travels faster than twenty.
local function encode_order(id)
  local list = redis.call('HGETALL', key.order(id))
  if #list == 0 then
    return nil
  end
  local fields = {}
  for i = 1, #list, 2 do
    fields[list[i]] = list[i + 1]
  end
  return cjson.encode(fields)
end

-- Appends the event of a change just written. Returns the order as JSON.
local function append_event(id, verb, json)
  json = json or encode_order(id)
  redis.call('XADD', key.events, 'MAXLEN', '~', EVENTS_KEPT, '*', 'type', 'order.' .. verb, 'order_id', id, 'data', json)
  return json
end

-- Rings the bell of a final order: whoever blocks on it looks at the order. Twice, so that it still rings when one has popped it:
-- only a second one who waits on the same order has to ring it again.
local function ring_bell(id)
  redis.call('RPUSH', key.bell(id), '1', '1')
  redis.call('PEXPIRE', key.bell(id), BELL_MS)
end

-- What every final order has in common: off the queue or the leases, its bell rung, kept for `retention_ms`.
-- `order` is as it was before, with its claim and its Idempotency-Key.
local function close_order(id, order, retention_ms)
  local queue = order.queue
  redis.call('ZREM', order.status == 'queued' and key.waiting(queue) or key.leases(queue), id)
  redis.call('XACK', key.queue(queue), 'baristas', order.entry)
  redis.call('XDEL', key.queue(queue), order.entry)
  redis.call('PEXPIRE', key.order(id), retention_ms)
  if order.claim then
    -- Asked again by a reply that was lost on the way, it must not start another order.
    redis.call('PEXPIRE', key.claim(order.claim), CLAIM_SPENT_MS)
  end
  if order.once then
    redis.call('PEXPIRE', key.once(order.once), retention_ms)
  end
  ring_bell(id)
end

-- Makes an order cancelled, from whatever state the caller has checked; `order` as for close_order. Returns it as JSON.
local function cancel_order(id, order, reason, retention_ms)
  redis.call('HSET', key.order(id), 'status', 'cancelled', 'reason', reason, 'finished_at', now_ms)
  close_order(id, order, retention_ms)
  return append_event(id, 'cancelled')
end

-- Tells the baristas held on an empty queue, on every replica, that `count` orders can be started.
local function wake_baristas(queue, count)
  redis.call('PUBLISH', key.wake, count .. ' ' .. queue)
end

-- Puts a brewing order back to its place in the queue, and tells a waiting barista. `order` has its claim and its place.
-- Returns it as JSON.
local function release_order(id, order, request)
  redis.call('HSET', key.order(id), 'status', 'queued', 'released_by', request or '')
  redis.call('HDEL', key.order(id), 'barista', 'started_at', 'claim')
  redis.call('DEL', key.claim(order.claim))
  redis.call('ZREM', key.leases(order.queue), id)
  redis.call('ZADD', key.waiting(order.queue), order.place, id)
  local json = append_event(id, 'released')
  wake_baristas(order.queue, 1)
  return json
end

-- Whether `barista` ('' is whoever holds it) may act on this brewing order.
local function holds(order, barista)
  return order.status == 'brewing' and (barista == '' or barista == order.barista)
end

-- The refusal of a verb that the order's state does not allow.
local function refuse(order)
  if not order.status then
    return { 'unknown' }
  end
  return { 'conflict', order.status, order.barista }
end

-- The median of the queue's recent waits from placed to ready, in ms; nil without history.
local function median_wait_ms(queue)
  local waits = redis.call('LRANGE', key.waits(queue), 0, WAITS_KEPT - 1)
  if #waits == 0 then
    return nil
  end
  for i, wait in ipairs(waits) do
    waits[i] = tonumber(wait)
  end
  table.sort(waits)
  return waits[math.ceil(#waits / 2)]
end

-- An order as it is now: {id, position (0 unless queued), expected seconds to ready (-1 unless queued, with history), JSON};
-- nil where there is none.
local function describe_order(id)
  local json = encode_order(id)
  if not json then
    return nil
  end
  local order = read_order(id, 'placed_at')
  if order.status ~= 'queued' then
    return { id, 0, -1, json }
  end
  local rank = redis.call('ZRANK', key.waiting(order.queue), id)
  local median_ms = median_wait_ms(order.queue)
  local eta_seconds = median_ms and math.max(0, math.ceil((median_ms - (now_ms - order.placed_at)) / 1000)) or -1
  return { id, rank + 1, eta_seconds, json }
end
