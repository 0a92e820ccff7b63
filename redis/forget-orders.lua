-- forget-orders
-- Forgets what retention has removed: index entries whose order is gone, a bounded number of them a call, and settled
-- payments with their order; workers that have asked for nothing, and servers that have given nothing out, for an hour.
-- Needs lib/keys.lua lib/clock.lua lib/damage.lua lib/queue-rules.lua lib/payment.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[2]  where to go on, as the call before says; '' at the start
-- Returns  where to go on; '' at the end

local retention_ms, cursor = tonumber(ARGV[1]), ARGV[2]
local EXAMINED = 500
local IDLE_MS = 3600000
local MAX_WORKERS = 1000

local queues = known_queues()
table.sort(queues)

-- The indexes in turn. Of each: the greatest score of an entry whose order may be gone; where entries are `<order id>
-- <label>`, the index of labels, and how many of the first may be open.
local indexes = {
  { name = key.orders, last = now_ms - retention_ms },
  { name = key.dead, last = '+inf' },
  { name = key.buried, last = '+inf' },
  { name = key.payments, last = now_ms - retention_ms, has_payments = true },
}
for _, queue in ipairs(queues) do
  local rules = queue_rules_of(queue)
  if rules then
    indexes[#indexes + 1] = { name = key.calls(queue), last = now_ms - rules.retention_ms }
    indexes[#indexes + 1] = {
      name = key.call_numbers(queue), last = '+inf', labels = key.call_labels(queue), open = rules.capacity,
    }
  end
end

-- Whether money may still move, or whether that can't be read: then the payment outlives its order.
local function is_open_payment(id)
  local payment = read_payment(id)
  return payment == nil or payment and not is_settled(payment)
end

local function drop(index, id, entry)
  if index.has_payments then
    redis.call('UNLINK', key.payment(id))
  end
  if index.labels then
    local label, number = string.sub(entry, #id + 2), redis.call('ZSCORE', index.name, entry)
    try('ZREM', index.labels, label .. ' ' .. number .. ' ' .. id)
  end
  redis.call('ZREM', index.name, entry)
end

-- Looks at so many entries of an index, from a rank on. Returns how many there were, and how many are still kept.
local function forget_page(index, first, count)
  local entries = try('ZRANGEBYSCORE', index.name, '-inf', index.last, 'LIMIT', first, count) or {}
  local kept = 0
  for _, entry in ipairs(entries) do
    local id = index.labels and string.match(entry, '^%S+') or entry
    if redis.call('EXISTS', key.order(id)) == 1 then
      kept = kept + 1
    elseif index.has_payments and is_open_payment(id) then
      -- (It is there, unless the index was lost.)
      try('ZADD', key.payments_open, 'NX', now_text, id)
      kept = kept + 1
    else
      drop(index, id, entry)
    end
  end
  return #entries, kept
end

-- Which index to begin with, and at which rank.
local function find_start()
  local first, name = string.match(cursor, '^(%d+) (.+)$')
  for at, index in ipairs(indexes) do
    if index.name == name then
      return at, tonumber(first)
    end
  end
  return 1, 0
end

local function forget_entries()
  local at, first = find_start()
  local left = EXAMINED
  while indexes[at] and left > 0 do
    local index = indexes[at]
    local found, kept = forget_page(index, first, left)
    first = first + kept
    -- (Numbers are in the order of placing: once no more of the first can be open, a page without a gap ends the
    -- search.)
    local is_over = found < left or index.open and first > index.open and kept == found
    left = left - found
    if is_over then
      at, first = at + 1, 0
    end
  end
  return indexes[at] and string.format('%.0f %s', first, indexes[at].name) or ''
end

-- Before the first one reads there is no group, so no consumer to forget. Where what it has in hand is to be taken
-- over, that keeps it.
local function forget_consumers(stream, group, is_taken_over)
  for _, consumer in ipairs(try('XINFO', 'CONSUMERS', stream, group) or {}) do
    -- Flat pairs: name, pending, idle (ms), and since 7.2 inactive.
    local name, pending, idle_ms = consumer[2], consumer[4], consumer[6]
    if idle_ms > IDLE_MS and (pending == 0 or not is_taken_over) then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
    end
  end
end

local function forget_workers(queue)
  if queue_rules_of(queue) then
    try('ZREMRANGEBYSCORE', key.workers(queue), '-inf', now_ms - IDLE_MS)
    try('ZREMRANGEBYRANK', key.workers(queue), 0, -1 - MAX_WORKERS)
  end
  forget_consumers(key.queue(queue), 'baristas')
  forget_consumers(key.demands(queue), DEMAND_GROUP, true)
end

if cursor == '' then
  for _, queue in ipairs(queues) do
    forget_workers(queue)
  end
  -- (A reader's group has one consumer. Servers of earlier versions each left their own.)
  for _, name in ipairs(try('HKEYS', key.readers) or {}) do
    forget_consumers(key.events, name, true)
  end
end
return forget_entries()
