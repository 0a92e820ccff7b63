-- inspect-shop
-- Inspects the shop: names the keys that hold a value of another type than they should, the orders that are set aside
-- as damaged, and the queues that need mending. An order that was put right goes back into its queue; one that is gone
-- leaves the list.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/damage.lua lib/queries.lua lib/payment.lua
-- Needs lib/queue-rules.lua lib/claims.lua lib/wake.lua lib/rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  lease of a brewing order that goes back, ms, where its queue has no rules of its own
-- ARGV[2]  most orders to look at: of more, some by chance
-- Returns  {{key, its type, the type it should have} …},
--          {{order id, what is wrong, when it was set aside (ms since 1970)} …},
--          {queue …}: their stream has more or fewer entries than the queue has orders

local lease_ms, max_orders = tonumber(ARGV[1]), ARGV[2]

local HOUR_MS, HOURS_INSPECTED = 3600000, 24 -- of stats: the newest

local TYPES = {
  hash = { key.claims, key.code, key.menu, key.queue_rules, key.readers, key.settings },
  list = { key.event_marks },
  set = { key.queues, spent_claims(0) },
  stream = { key.events },
  string = { key.event_count, key.format, key.link_key, key.numbers(date), key.stats_counted },
  zset = { key.buried, key.damaged, key.dead, key.orders, key.payments, key.payments_open, key.reserved, key.rules },
}
for _, name in ipairs(try('HKEYS', key.readers) or {}) do
  table.insert(TYPES.string, key.reader(name))
end
for _, rule in ipairs(try('ZRANGE', key.rules, 0, -1) or {}) do
  table.insert(TYPES.hash, key.deliveries(rule))
  table.insert(TYPES.hash, key.rule(rule))
  table.insert(TYPES.string, key.reader(group_of(rule)))
  table.insert(TYPES.zset, key.deliveries_dead(rule))
  table.insert(TYPES.zset, key.deliveries_retried(rule))
end
for hours = 0, HOURS_INSPECTED - 1 do
  table.insert(TYPES.hash, key.stats(string.sub(time_text(now_ms - hours * HOUR_MS), 1, #'2000-01-01T00')))
end
for _, queue in ipairs(known_queues()) do
  table.insert(TYPES.list, key.waits(queue))
  table.insert(TYPES.string, key.call_count(queue))
  table.insert(TYPES.stream, key.queue(queue))
  table.insert(TYPES.stream, key.demands(queue))
  table.insert(TYPES.zset, key.calls(queue))
  table.insert(TYPES.zset, key.call_labels(queue))
  table.insert(TYPES.zset, key.call_numbers(queue))
  table.insert(TYPES.zset, key.delayed(queue))
  table.insert(TYPES.zset, key.leases(queue))
  table.insert(TYPES.zset, key.scheduled(queue))
  table.insert(TYPES.zset, key.unpaid(queue))
  table.insert(TYPES.zset, key.waiting(queue))
  table.insert(TYPES.zset, key.workers(queue))
end

local function find_wrong_keys()
  local wrong = {}
  for expected, names in pairs(TYPES) do
    for _, name in ipairs(names) do
      local found = redis.call('TYPE', name).ok
      if found ~= expected and found ~= 'none' then
        wrong[#wrong + 1] = { name, found, expected }
      end
    end
  end
  return wrong
end

-- Puts an order that was damaged back where its state belongs. Its stream entry comes back when the queue is mended.
local function put_back(id, order)
  if order.status == 'reserved' then
    redis.call('ZADD', key.reserved, 'NX', now_ms + lease_ms, id)
  elseif order.status == 'brewing' then
    local rules = queue_rules_of(order.queue)
    redis.call('ZADD', key.leases(order.queue), 'NX', now_ms + (rules and rules.lease_ms or lease_ms), id)
  elseif order.status == 'unpaid' then
    redis.call('ZADD', key.unpaid(order.queue), 'NX', now_ms + lease_ms, id)
  elseif order.status == 'scheduled' then
    redis.call('ZADD', key.scheduled(order.queue), 'NX', order.due, id)
  elseif order.status == 'queued' and order.due ~= '' then
    redis.call('ZADD', key.delayed(order.queue), 'NX', order.due, id)
  elseif order.status == 'queued' then
    redis.call('ZADD', key.waiting(order.queue), 'NX', order.queue_number, id)
    wake_baristas(order.queue, 1)
  end
  if order.customer ~= '' and not FINAL[order.status] then
    try('SADD', key.open_of(customer_of(order)), id)
  end
  redis.call('ZREM', key.damaged, id)
end

local function find_damaged()
  local listed = try('ZRANDMEMBER', key.damaged, max_orders, 'WITHSCORES') or {}
  local ids, noticed_ms = {}, {}
  for at = 1, #listed, 2 do
    ids[#ids + 1] = listed[at]
    noticed_ms[listed[at]] = tonumber(listed[at + 1])
  end
  local found, faults = read_orders(ids, true)
  local damaged = {}
  for _, id in ipairs(ids) do
    local fault = faults[id] or read_payment(id) == nil and 'its payment is garbled'
    if fault then
      damaged[#damaged + 1] = { id, fault, noticed_ms[id] }
    elseif found[id] then
      -- Not while the key that it belongs to is damaged.
      pcall(put_back, id, found[id])
    else
      redis.call('ZREM', key.damaged, id)
    end
  end
  return damaged
end

local function find_uneven()
  local uneven = {}
  for _, queue in ipairs(known_queues()) do
    local entries = try('XLEN', key.queue(queue))
    local waiting, delayed = try('ZCARD', key.waiting(queue)), try('ZCARD', key.delayed(queue))
    local brewing, scheduled = try('ZCARD', key.leases(queue)), try('ZCARD', key.scheduled(queue))
    local unpaid = try('ZCARD', key.unpaid(queue))
    local is_readable = entries and waiting and delayed and brewing and scheduled and unpaid
    if is_readable and entries ~= waiting + delayed + scheduled + unpaid + brewing then
      uneven[#uneven + 1] = queue
    end
  end
  return uneven
end

local wrong, damaged = find_wrong_keys(), find_damaged()
return { wrong, damaged, find_uneven() }
