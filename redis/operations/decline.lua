-- decline
-- Notes that the provider refused a card: the order stays unpaid, and another card may be tried. Declined again it
-- answers the same.
-- Fields   order_id, attempt (which try it was), intent ('' where there is none), failure (why, a JSON string)
-- Answers  declined, the payment (JSON) | unknown | refused, why: over

operation('decline', function(id, attempt, intent, failure)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.status ~= 'PAYMENT_PENDING' or tonumber(attempt) ~= payment.attempt then
    return 'refused\tover'
  end
  if not payment.method then
    return 'declined\t' .. encode_payment(id, payment)
  end
  payment.method, payment.is_under_way, payment.error = nil, nil, cjson.decode(failure)
  payment.intent = intent ~= '' and intent or payment.intent
  payments.changed(id, payment, not (order and order.status == 'unpaid') and now_ms or nil)
  return 'declined\t' .. payments.note_event('payment.declined', id, payment, order)
end)
