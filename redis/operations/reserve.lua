-- reserve
-- Redeems one drink of the current code for an order whose drink is chosen later.
-- A token is taken where a code is tried: codes are not to be guessed.
-- Fields   order_id, code, details (a JSON object), customer_id, idempotency_key, body_hash ('' where absent),
--          bucket (`<policy>:<address>`)
-- Answers  reserved, tokens, ms until there is one, ms until all are there, the order (asked again by its key: the
--          first one)
--          | mismatch, the same three | denied, the same three
--          | refused, why, '', the same three: closed, full, too_many_open, code_wrong, code_used_up

operation('reserve', function(id, given_code, details, customer_id, idempotency_key, body_hash, bucket)
  local first_id = find_by_idempotency_key(idempotency_key, body_hash)
  if first_id == 'mismatch' then
    return 'mismatch\t' .. describe_bucket(bucket)
  end
  first_id = first_id or find_order(id) and id
  if first_id then
    return 'reserved\t' .. describe_bucket(bucket), first_id
  end
  if not has_token(bucket) then
    return 'denied\t' .. describe_bucket(bucket)
  end
  local why = why_refused(customer_id)
  if why then
    count_refusal(why)
  end
  why = why or check_code(given_code)
  if why then
    take_token(bucket)
    return 'refused\t' .. why .. '\t\t' .. describe_bucket(bucket)
  end

  local fixed = members_of(details) .. '"placed_at":"' .. now .. '"'
  local order = new_order('reserved', '', '', '', idempotency_key, customer_id, fixed)
  set_field(order, 'code', given_code)
  order.deadline = string.format('%.0f', now_ms + 1000 * setting('customer_timeout_seconds'))
  add_order(id, order, customer_id)
  take_token(bucket)
  spend_code()
  keep_idempotency_key(id, idempotency_key, body_hash)
  return 'reserved\t' .. describe_bucket(bucket), id
end, 5)
