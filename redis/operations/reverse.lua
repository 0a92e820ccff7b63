-- reverse
-- Notes that the provider holds nothing any more for an order that was cancelled, or is ready and its authorisation
-- lapsed. What was authorised is refunded, what was only tried has failed, and so has what lapsed. Reversed again it
-- answers the same.
-- Fields   order_id, failure (of one that lapsed: why, a JSON string; else '')
-- Answers  reversed, the payment (JSON) | unknown | refused, why: over, open

operation('reverse', function(id, failure)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.status == 'PAYMENT_REFUNDED' or payment.status == 'PAYMENT_FAILED' then
    return 'reversed\t' .. encode_payment(id, payment)
  end
  if payment.status == 'PAYMENT_SUCCESSFUL' then
    return 'refused\tover'
  end
  if order and order.status ~= 'cancelled' and not (order.status == 'ready' and failure ~= '') then
    return 'refused\topen'
  end
  payment.capture_before = nil
  if failure ~= '' or payment.status == 'PAYMENT_PENDING' then
    return 'reversed\t' .. payments.fail(id, payment, order, failure ~= '' and cjson.decode(failure) or nil)
  end
  payment.status, payment.refunded_at, payment.refunded_amount = 'PAYMENT_REFUNDED', now, payment.amount
  payments.changed(id, payment)
  return 'reversed\t' .. payments.note_event('payment.refunded', id, payment, order)
end)
