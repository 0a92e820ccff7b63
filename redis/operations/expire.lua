-- expire
-- Cancels an order whose time is over: a reservation that was not completed, an order that was not paid, a brewing
-- order whose last lease ran out.
-- Fields   order_id
-- Answers  expired, the order | kept (its time is not over, or it has attempts left)

operation('expire', function(id)
  local order = find_order(id)
  if order and order.status == 'reserved' and has_run_out(key.reserved, id) then
    close_order(id, order, 'cancelled', 'customer_timeout')
    return 'expired', id
  end
  if order and order.status == 'unpaid' and has_run_out(key.unpaid(order.queue), id) then
    close_order(id, order, 'cancelled', 'payment_failed')
    return 'expired', id
  end
  if order and order.status == 'brewing' and is_last_lease(order) and has_run_out(key.leases(order.queue), id) then
    close_order(id, order, 'cancelled', 'barista_timeout')
    return 'expired', id
  end
  return 'kept'
end)
