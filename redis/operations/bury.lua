-- bury
-- Keeps a demand that no machine can make as a dead letter: an order of its queue that is cancelled from the start.
-- Fields   order_id, queue, input (JSON), failure (why, a JSON string), idempotency_key
-- Answers  buried | joined (its key was used before) | unknown (no such queue)

operation('bury', function(id, queue, input, failure, idempotency_key)
  if find_by_idempotency_key(idempotency_key, '-') or find_order(id) then
    return 'joined'
  end
  if not queue_rules_of(queue) then
    return 'unknown'
  end
  check_type(key.calls(queue), 'zset')
  local number = next_call_number(queue)
  local fixed = '"number":' .. number .. ',"queue":"' .. queue .. '","placed_at":"' .. now .. '"'
  local order = new_order('cancelled', queue, number, '', idempotency_key, '', fixed)
  set_field(order, 'input', input)
  set_field(order, 'reason', 'machine_error')
  set_field(order, 'failure', failure)
  order.finished_at = now
  order.was = false
  changed[#changed + 1] = id
  orders[id] = order
  gather('ZADD', key.calls(queue), now_text, id)
  note_event('order.cancelled', id, order)
  take_call_number(queue)
  keep_idempotency_key(id, idempotency_key, '-')
  died[#died + 1], buried[#buried + 1] = id, id
  return 'buried'
end, 5)
