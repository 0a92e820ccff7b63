-- requeue
-- Puts an order into its queue that failed or is scheduled, once it may be started.
-- Fields   order_id
-- Answers  requeued, the order | kept (it is not due, or not waiting for that)

operation('requeue', function(id)
  local order = find_order(id)
  local is_waiting = order and (order.status == 'scheduled' or order.status == 'queued')
  if not is_waiting or order.due == '' or tonumber(order.due) > now_ms then
    return 'kept'
  end
  check_type(key.waiting(order.queue), 'zset')
  if order.status == 'scheduled' then
    enter(id, order, 'queued')
    set_field(order, 'due', '')
    note_event('order.queued', id, order)
  else
    enter(id, order, 'queued')
    set_field(order, 'due', '')
    offer(id)
  end
  return 'requeued', id
end)
