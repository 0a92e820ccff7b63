-- place
-- Queues a new order under the day's next number, unless its id or its Idempotency-Key was placed before, its address
-- is out of tokens, or the shop does not let it in. A token and a code's drink are spent by an order that got in, and
-- by nothing else.
-- Fields   order_id, queue, item, details (a JSON object), bucket (`<policy>:<address>`),
--          holder (the replica that holds its customer, '' where none does) | modifiers (a JSON object), customer_id,
--          code, idempotency_key, body_hash, due (ms since 1970: scheduled, not to be started before)
-- Answers  placed, tokens, ms until there is one, ms until all are there | joined, order id, the same three
--          | mismatch, the same three
--          | denied, the same three | refused, why, subject (JSON), the same three: closed, full, too_many_open;
--          unknown_item, unavailable_item (item), unknown_modifier, unknown_option (modifier);
--          code_required, code_wrong, code_used_up, not_before_past, not_before_far

operation('place', function(
  id, queue, coffee, details, bucket, holder, modifiers, customer_id, given_code, idempotency_key, body_hash, due
)
  modifiers, customer_id, given_code = modifiers or '', customer_id or '', given_code or ''
  idempotency_key, body_hash = idempotency_key or '', body_hash or ''
  local early = answer_early(id, bucket, idempotency_key, body_hash)
  if early then
    return early
  end
  local why, subject = why_refused(customer_id)
  if why then
    count_refusal(why)
    return 'refused\t' .. why .. '\t\t' .. describe_bucket(bucket)
  end
  local price
  why, subject, price = check_choice(coffee, modifiers)
  why = why or check_due(due)
  local needs_code = find_rules().needs_code
  why = why or needs_code and (given_code == '' and 'code_required' or check_code(given_code)) or nil
  if why then
    return 'refused\t' .. why .. '\t' .. (subject and cjson.encode(subject) or '') .. '\t' .. describe_bucket(bucket)
  end

  local number_text, queue_number = next_number()
  local kind = payments.kind_for(price)
  local fixed = fixed_members(number_text, coffee, price, details, kind)
  local order = scheduled_for(new_order('queued', queue, queue_number, holder, idempotency_key, customer_id, fixed), due)
  if kind then
    payments.check_keys()
    order.status, order.deadline = 'unpaid', payments.new_deadline()
  end
  add_order(id, order, customer_id)
  if kind then
    payments.add(id, kind, price, order.deadline)
  end
  take_number()
  take_token(bucket)
  if needs_code then
    spend_code()
  end
  keep_idempotency_key(id, idempotency_key, body_hash, due)
  return 'placed\t' .. describe_bucket(bucket)
end, 10)
