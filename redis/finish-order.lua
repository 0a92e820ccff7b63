-- finish-order
-- Finishes orders: each brewing order becomes ready, its customers' bell rings.
-- A barista whose lease ran out may still finish, until somebody else has the order. Finishing again answers the same.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, barista ('' is whoever holds it)
-- Returns  per order {'finished', id, the order as JSON} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista}

local retention_ms = ARGV[1]
local finished = {}

local function finish(id, barista)
  local order, fault = read_order(id)
  if order and order.status == 'ready' and (barista == '' or barista == order.barista) then
    return { 'finished', id, encode_order(order) }
  end
  if not order or not holds(order, barista) then
    return refuse(id, order, fault)
  end

  -- One wait of a run stands for all of it.
  local placed_at_ms = not finished[order.queue] and placed_ms(id)
  if placed_at_ms then
    finished[order.queue] = now_ms - placed_at_ms
  end
  return { 'finished', id, close_order(id, order, { status = 'ready' }, retention_ms) }
end

local replies = each_item(2, 2, finish)
for queue, wait_ms in pairs(finished) do
  if try('LPUSH', key.waits(queue), wait_ms) then
    redis.call('LTRIM', key.waits(queue), 0, WAITS_KEPT - 1)
    redis.call('PEXPIRE', key.waits(queue), WAITS_MS)
  end
end
return replies
