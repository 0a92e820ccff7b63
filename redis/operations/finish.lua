-- finish
-- Makes a brewing order ready. A barista whose lease ran out may still finish, until another has the order.
-- Finishing again answers the same.
-- Fields   order_id, barista (JSON; '' is any) | result (JSON), attempts, started_at (only for the start that these
--          name)
-- Answers  finished, the order | unknown | conflict, status, barista (JSON)

operation('finish', function(id, barista, result, attempts, started_at)
  result = result or ''
  local order = find_order(id)
  local is_same = order and was_started(order, attempts, started_at)
  if is_same and order.status == 'ready' and (barista == '' or barista == order.barista) then
    finished_now[id] = true
    return 'finished', id
  end
  if not is_same or not holds(order, barista) then
    return refuse(order)
  end
  local wait_ms = read_wait(order.queue, id, order.fixed)
  close_order(id, order, 'ready', '', result)
  note_wait(order.queue, wait_ms)
  finished_now[id] = true
  return 'finished', id
end)
