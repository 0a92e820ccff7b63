-- extend
-- Gives a brewing order a new lease, counted from now.
-- Fields   order_id, barista (JSON; '' is any)
-- Answers  extended, the order | unknown | conflict, status, barista (JSON)

operation('extend', 2, function(id, barista)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  local extended = copy_order(order)
  extended.deadline = new_deadline()
  put_order(id, extended, 'order.extended')
  return 'extended', id
end)
