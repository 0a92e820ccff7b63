-- progress
-- Notes how far a brewing order is.
-- Fields   order_id, barista (JSON; '' is any), progress (a JSON object)
-- Answers  progressed, the order | unknown | conflict, status, barista (JSON)

operation('progress', function(id, barista, progress)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  enter(id, order, 'brewing')
  set_field(order, 'progress', progress)
  note_event('order.progressed', id, order)
  return 'progressed', id
end)
