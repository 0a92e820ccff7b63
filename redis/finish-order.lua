-- Finishes orders: each brewing order becomes ready, its customers' bell rings.
-- A barista whose lease ran out may still finish, until somebody else has the order. Finishing again answers the same.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, barista ('' is whoever holds it)
-- Returns  per order {'finished', id, fields} | {'unknown'} | {'conflict', status, barista}

local retention_ms = tonumber(ARGV[1])

local function finish(id, barista)
  local order = read_order(id, 'placed_at')
  if order.status == 'ready' and (barista == '' or barista == order.barista) then
    return { 'finished', id, redis.call('HGETALL', key.order(id)) }
  end
  if not holds(order, barista) then
    return refuse(order)
  end

  redis.call('HSET', key.order(id), 'status', 'ready', 'finished_at', now_ms)
  redis.call('LPUSH', key.waits(order.queue), now_ms - order.placed_at)
  redis.call('LTRIM', key.waits(order.queue), 0, WAITS_KEPT - 1)
  redis.call('PEXPIRE', key.waits(order.queue), WAITS_MS)
  close_order(id, order.queue, retention_ms)
  return { 'finished', id, append_event(id, 'finished') }
end

return each_item(2, 2, finish)
