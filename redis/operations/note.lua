-- note
-- Adds an event of a machine's own to those of a brewing order, which stays as it is.
-- Fields   order_id, barista (JSON; '' is any), event (its type, as `compute/start`), data (a JSON object)
-- Answers  noted | unknown | conflict, status, barista (JSON)

operation('note', function(id, barista, event, data)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  add_event(event, id, encode_changes(order) .. ',"data":' .. data)
  return 'noted'
end)
