-- release-order
-- Releases orders: each brewing order goes back to its old place in the queue, and a waiting barista is woken.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per order: request id (made by the caller), order id, barista ('' is whoever holds it)
-- Returns  per order {'released', id, the order as JSON} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista}

local function release(request, id, barista)
  local order, fault = read_order(id, true)
  if order and order.released_by == request then
    return { 'released', id, encode_order(order) }
  end
  if not order or not holds(order, barista) then
    return refuse(id, order, fault)
  end

  return { 'released', id, release_order(id, order, request) }
end

return each_item(1, 3, release)
