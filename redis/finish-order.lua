-- finish-order
-- Finishes orders: each brewing order becomes ready, its customers' bell rings.
-- A barista whose lease ran out may still finish, until somebody else has the order. Finishing again answers the same.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, barista ('' is whoever holds it)
-- Returns  per order {'finished', id, the order as JSON} | {'unknown'} | {'conflict', status, barista}

local retention_ms = ARGV[1]
local finished = {}

local function finish(id, barista)
  local order = read_order(id)
  if order and order.status == 'ready' and (barista == '' or barista == order.barista) then
    return { 'finished', id, encode_order(order) }
  end
  if not order or not holds(order, barista) then
    return refuse(order)
  end

  -- One wait of a run stands for all of it.
  finished[order.queue] = finished[order.queue] or now_ms - placed_ms(id)
  return { 'finished', id, close_order(id, order, { status = 'ready' }, retention_ms) }
end

local replies = each_item(2, 2, finish)
for queue, wait_ms in pairs(finished) do
  redis.call('LPUSH', key.waits(queue), wait_ms)
  redis.call('LTRIM', key.waits(queue), 0, WAITS_KEPT - 1)
  redis.call('PEXPIRE', key.waits(queue), WAITS_MS)
end
return replies
