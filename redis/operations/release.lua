-- release
-- Puts a brewing order back to its place in the queue.
-- Fields   order_id, barista (JSON; '' is any)
-- Answers  released, the order | unknown | conflict, status, barista (JSON)

operation('release', 2, function(id, barista)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  local released = copy_order(order)
  released.status, released.barista, released.started_at, released.claim = 'queued', '', '', ''
  put_order(id, released, 'order.released')
  return 'released', id
end)
