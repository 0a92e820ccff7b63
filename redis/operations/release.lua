-- release
-- Puts a brewing order back into its queue.
-- Fields   order_id, barista (JSON; '' is any) | uncounted (1: this start does not count as an attempt)
-- Answers  released, the order | unknown | conflict, status, barista (JSON)

operation('release', function(id, barista, uncounted)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  enter(id, order, 'queued')
  order.barista, order.started_at = '', ''
  if uncounted == '1' then
    order.attempts = string.format('%d', order.attempts - 1)
  end
  set_field(order, 'progress', '')
  set_claim(id, order, '')
  note_event('order.released', id, order)
  return 'released', id
end)
