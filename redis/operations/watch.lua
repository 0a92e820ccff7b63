-- watch
-- Notes that a customer waits for an order at a replica, so that its bell rings for them: or answers the final order.
-- Fields   order_id, holder (the replica)
-- Answers  final, the order | watching | unknown

operation('watch', function(id, holder)
  local order = find_order(id)
  if not order then
    return 'unknown'
  end
  if FINAL[order.status] then
    return 'final', id
  end
  if order.holder ~= holder and order.holder ~= SHARED then
    enter(id, order, order.status)
    order.holder = order.holder == '' and holder or SHARED
  end
  return 'watching'
end)
