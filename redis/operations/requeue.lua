-- requeue
-- Puts an order that failed back into its queue, once it may be started again.
-- Fields   order_id
-- Answers  requeued, the order | kept (it is not due, or not waiting for that)

operation('requeue', function(id)
  local order = find_order(id)
  if not order or order.due == '' or tonumber(order.due) > now_ms then
    return 'kept'
  end
  check_type(key.waiting(order.queue), 'zset')
  enter(id, order, 'queued')
  set_field(order, 'due', '')
  offer(id)
  return 'requeued', id
end)
