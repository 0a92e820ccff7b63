-- finish
-- Makes a brewing order ready. A barista whose lease ran out may still finish, until another has the order.
-- Finishing again answers the same.
-- Fields   order_id, barista (JSON; '' is any) | result (JSON)
-- Answers  finished, the order | unknown | conflict, status, barista (JSON)

operation('finish', function(id, barista, result)
  result = result or ''
  local order = find_order(id)
  if order and order.status == 'ready' and (barista == '' or barista == order.barista) then
    finished_now[id] = true
    return 'finished', id
  end
  if not holds(order, barista) then
    return refuse(order)
  end
  local wait_ms = read_wait(order.queue, id, order.fixed)
  close_order(id, order, 'ready', '', result)
  note_wait(order.queue, wait_ms)
  finished_now[id] = true
  return 'finished', id
end)
