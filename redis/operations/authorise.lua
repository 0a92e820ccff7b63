-- authorise
-- Notes that the provider holds the amount for an order, and queues that. Where the order has ended meanwhile, its
-- payment is to be voided. Authorised again it answers the same.
-- Fields   order_id, intent, amount (as the provider holds it), capture_before (ms since 1970, '' where not said),
--          look_ms (when it is looked at next, from now)
-- Answers  authorised, the payment (JSON) | unknown | refused, why: amount, over

operation('authorise', function(id, intent, amount, capture_before, look_ms)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.status == 'PAYMENT_CREATED' and payment.intent == intent then
    return 'authorised\t' .. encode_payment(id, payment)
  end
  if payment.status ~= 'PAYMENT_PENDING' or payment.kind ~= 'card' then
    return 'refused\tover'
  end
  if tonumber(amount) ~= payment.amount then
    return 'refused\tamount'
  end
  local is_awaited = order and order.status == 'unpaid'
  if is_awaited then
    payments.check_paid(order)
  end
  payment.status, payment.authorised_at, payment.intent = 'PAYMENT_CREATED', now, intent
  payment.expires_at, payment.is_under_way, payment.method, payment.error = nil, nil, nil, nil
  if capture_before ~= '' then
    payment.capture_before = time_text(tonumber(capture_before))
  end
  payments.changed(id, payment, is_awaited and now_ms + look_ms or now_ms)
  if is_awaited then
    payments.queue_paid(id, order)
  end
  return 'authorised\t' .. payments.note_event('payment.authorised', id, payment, order)
end)
