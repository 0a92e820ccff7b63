-- usual-finish
-- Owns the usual finish: of a brewing order of the counter without claim and customer's id, and without a result.

usual('finish', function(at, width)
  local id, barista = ARGV[at], ARGV[at + 1]
  local record = records[id]
  if not record or orders[id] or width > 2 and ARGV[at + 2] ~= '' or width > 4 and ARGV[at + 4] ~= '' then
    return false
  end
  local order = plain.read_brewing(record)
  if not order then
    return false
  end
  local queue_name, by = order.queue, order.barista
  if queue_name ~= COUNTER and queue_rules_of(queue_name) or barista ~= '' and barista ~= by then
    return false
  end

  plain.forget(record)
  local queue_number, holder, attempts, started_at = order.queue_number, order.holder, order.attempts, order.started_at
  local idempotency_key, fixed = order.idempotency_key, order.fixed
  if not waits[queue_name] then
    note_wait(queue_name, read_wait(queue_name, id, fixed))
  end
  local queue = queues[queue_name] or open_queue(queue_name)
  local list = queue.remove_leases
  list[#list + 1] = id
  list = queue.delete
  list[#list + 1] = queue_number
  record = READY_START .. attempts .. NO_EXPIRIES .. queue_name .. '\n' .. queue_number .. '\n' .. holder .. '\n' .. by .. '\n'
    .. started_at .. '\n' .. now .. NO_CLAIM .. idempotency_key .. NO_MORE .. fixed
  records[id] = record
  local n = #finals
  finals[n + 1], finals[n + 2], finals[n + 3], finals[n + 4] = id, record, idempotency_key, holder
  opened = opened - 1
  finished_now[id] = true

  local members = '"status":"ready","attempts":' .. attempts .. ',"barista":' .. by .. ',"started_at":"' .. started_at
    .. '","finished_at":"' .. now .. '"'
  answer_event('finished', 'order.finished', id, fixed, members)
  return true
end)
