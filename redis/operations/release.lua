-- release
-- Puts a brewing order back into its queue.
-- Fields   order_id, barista (JSON; '' is any)
-- Answers  released, the order | unknown | conflict, status, barista (JSON)

operation('release', function(id, barista)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  enter(id, order, 'queued')
  order.barista, order.started_at = '', ''
  set_claim(id, order, '')
  note_event('order.released', id, order)
  return 'released', id
end)
