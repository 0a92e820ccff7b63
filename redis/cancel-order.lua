-- cancel-order
-- Cancels orders: a customer's while it is reserved or queued, a barista's also while it is brewing. Cancelling again answers the same.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, who cancels (customer or barista), reason, barista ('' is whoever holds it)
-- Returns  per order {'cancelled', id, the order as JSON} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista}

local retention_ms = tonumber(ARGV[1])

local function cancel(id, canceller, reason, barista)
  local order, fault = read_order(id)
  if not order then
    return refuse(id, order, fault)
  end
  if order.status == 'cancelled' and order.reason == reason then
    return { 'cancelled', id, encode_order(order) }
  end
  if order.status == 'reserved' or order.status == 'queued' or (canceller == 'barista' and holds(order, barista)) then
    return { 'cancelled', id, cancel_order(id, order, reason, retention_ms) }
  end
  return refuse(id, order)
end

return each_item(2, 4, cancel)
