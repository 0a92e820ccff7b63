-- due-orders
-- Finds the orders whose time is over: reservations that were not completed, brewing orders whose last lease ran out,
-- and orders that failed and may be started again. For leases of orders that have attempts left it wakes waiting
-- baristas.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/damage.lua lib/wake.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how many leases of one order may run out before it is cancelled
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

for _, queue in ipairs(known_queues()) do
  local index = key.leases(queue)
  local ids = due(index)
  local found = read_orders(ids)
  local offered = 0
  for _, id in ipairs(ids) do
    local order = found[id]
    if not order or order.status ~= 'brewing' or order.queue ~= queue then
      forget(index, id)
    elseif order.expiries + 1 >= max_attempts then
      reply[#reply + 1] = id
    else
      offered = offered + 1
    end
  end
  wake_baristas(queue, offered)
  note_next(index)
  local delayed = due(key.delayed(queue))
  local found_delayed = read_orders(delayed)
  for _, id in ipairs(delayed) do
    local order = found_delayed[id]
    if not order or order.due == '' or order.queue ~= queue then
      forget(key.delayed(queue), id)
    else
      requeued[#requeued + 1] = id
    end
  end
  note_next(key.delayed(queue))
end

local ids = due(key.reserved)
local found = read_orders(ids)
for _, id in ipairs(ids) do
  if found[id] and found[id].status == 'reserved' then
    reply[#reply + 1] = id
  else
    forget(key.reserved, id)
  end
end
note_next(key.reserved)
reply[1], reply[2] = next_ms, #reply - 2
for _, id in ipairs(requeued) do
  reply[#reply + 1] = id
end
return reply
