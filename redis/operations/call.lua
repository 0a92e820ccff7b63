-- call
-- Queues a new order in a queue of machines, under the queue's next number, unless its id or its Idempotency-Key was
-- placed before, its address is out of tokens, or the queue is full.
-- Fields   order_id, queue, input (JSON), bucket (`<policy>:<address>`), holder (the replica that holds its customer,
--          '' where none does) | details (a JSON object), idempotency_key, body_hash, due (ms since 1970: scheduled,
--          not to be started before), label (1 to 64 letters, digits, _ or -: it is found by it)
-- Answers  placed, tokens, ms until there is one, ms until all are there | joined, order id, the same three
--          | mismatch, the same three | denied, the same three
--          | refused, why, '', the same three: queue_unknown, queue_full, not_before_past, not_before_far

-- (Once a run: it is the same for all of its calls.)
local function check_call(queue, rules)
  if not rules.is_sound then
    check_type(key.calls(queue), 'zset')
    check_labels(queue)
    rules.is_sound = true
  end
end

operation('call', function(id, queue, input, bucket, holder, details, idempotency_key, body_hash, due, label)
  idempotency_key, body_hash = idempotency_key or '', body_hash or ''
  local rules = queue_rules_of(queue)
  if bucket ~= '' then
    find_bucket(bucket, rules)
  end
  local early = answer_early(id, bucket, idempotency_key, body_hash)
  if early then
    return early
  end
  local why = not rules and 'queue_unknown' or check_due(due) or is_queue_full(queue, rules) and 'queue_full' or nil
  if why then
    return 'refused\t' .. why .. '\t\t' .. describe_bucket(bucket)
  end

  check_call(queue, rules)
  local number = next_call_number(queue)
  local fixed = '"number":' .. number .. ',"queue":"' .. queue .. '",' .. members_of(details or '') .. '"placed_at":"' .. now .. '"'
  local order = new_order('queued', queue, number, holder, idempotency_key, '', fixed)
  set_field(order, 'input', input)
  add_order(id, scheduled_for(order, due), '')
  take_call_number(queue)
  take_token(bucket)
  keep_idempotency_key(id, idempotency_key, body_hash, due)
  index_label(id, queue, label, number)
  return 'placed\t' .. describe_bucket(bucket)
end, 7)
