-- due-orders
-- Finds the orders whose time is over: reservations that were not completed, orders that were not paid, brewing orders
-- whose last lease ran out; and orders that failed or are scheduled and may be started. For leases of orders that have
-- attempts left it wakes waiting baristas.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/damage.lua lib/queue-rules.lua lib/wake.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how many leases of one order may run out before it is cancelled, where its queue has no rules of its own
-- Returns  {ms until the next one runs out or -1, how many to expire, their ids …, the ids of those to requeue …}

local MAX_ORDERS = 500
local max_attempts = tonumber(ARGV[1])
local next_ms = -1
local reply = { next_ms, 0 }
local requeued = {}

local function note_next(index)
  local first = try('ZRANGEBYSCORE', index, '(' .. now_text, '+inf', 'WITHSCORES', 'LIMIT', 0, 1) or {}
  local deadline_ms = first[2]
  if deadline_ms and (next_ms < 0 or deadline_ms - now_ms < next_ms) then
    next_ms = deadline_ms - now_ms
  end
end

local function due(index)
  return try('ZRANGEBYSCORE', index, '-inf', now_text, 'LIMIT', 0, MAX_ORDERS) or {}
end

local function forget(index, id)
  redis.call('ZREM', index, id)
end

local function find_requeued(queue, index, status)
  local delayed = due(index)
  local found = read_orders(delayed)
  for _, id in ipairs(delayed) do
    local order = found[id]
    if not order or order.due == '' or order.status ~= status or order.queue ~= queue then
      forget(index, id)
    else
      requeued[#requeued + 1] = id
    end
  end
  if #delayed == MAX_ORDERS then
    next_ms = 0 -- there may be more
  end
  note_next(index)
end

-- Adds those that are still in that state.
local function find_expired(index, status)
  local ids = due(index)
  local found = read_orders(ids)
  for _, id in ipairs(ids) do
    if found[id] and found[id].status == status then
      reply[#reply + 1] = id
    else
      forget(index, id)
    end
  end
  note_next(index)
end

for _, queue in ipairs(known_queues()) do
  local index = key.leases(queue)
  local rules = queue_rules_of(queue)
  local attempts_here = rules and rules.max_attempts or max_attempts
  local ids = due(index)
  local found = read_orders(ids)
  local offered = 0
  for _, id in ipairs(ids) do
    local order = found[id]
    if not order or order.status ~= 'brewing' or order.queue ~= queue then
      forget(index, id)
    elseif order.expiries + 1 >= attempts_here then
      reply[#reply + 1] = id
    else
      offered = offered + 1
    end
  end
  wake_baristas(queue, offered)
  note_next(index)
  find_requeued(queue, key.delayed(queue), 'queued')
  find_requeued(queue, key.scheduled(queue), 'scheduled')
  find_expired(key.unpaid(queue), 'unpaid')
end
find_expired(key.reserved, 'reserved')
reply[1], reply[2] = next_ms, #reply - 2
for _, id in ipairs(requeued) do
  reply[#reply + 1] = id
end
return reply
