-- extend
-- Gives a brewing order a new lease, counted from now.
-- Fields   order_id, barista (JSON; '' is any)
-- Answers  extended, the order | unknown | conflict, status, barista (JSON)

operation('extend', function(id, barista)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  check_type(key.leases(order.queue), 'zset')
  enter(id, order, 'brewing')
  order.deadline = new_deadline_of(order.queue)
  note_event('order.extended', id, order)
  return 'extended', id
end)
