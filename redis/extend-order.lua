-- extend-order
-- Extends orders: each brewing order gets a new lease, counted from now.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  lease, ms
-- ARGV[…]  per order: request id (made by the caller), order id, barista ('' is whoever holds it)
-- Returns  per order {'extended', id, the order as JSON} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista}

local lease_ms = tonumber(ARGV[1])

local function extend(request, id, barista)
  local order, fault = read_order(id)
  if order and order.extended_by == request then
    return { 'extended', id, encode_order(order) }
  end
  if not order or not holds(order, barista) then
    return refuse(id, order, fault)
  end

  redis.call('ZADD', key.leases(order.queue), now_ms + lease_ms, id)
  write_order(id, order, { extended_by = request })
  return { 'extended', id, append_event(id, 'extended', order) }
end

return each_item(2, 3, extend)
