-- capture
-- Notes that the provider has taken the amount that it held: its order is ready. Captured again it answers the same.
-- Fields   order_id
-- Answers  captured, the payment (JSON) | unknown | refused, why: over, open

operation('capture', function(id)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.status == 'PAYMENT_SUCCESSFUL' then
    return 'captured\t' .. encode_payment(id, payment)
  end
  if payment.status ~= 'PAYMENT_CREATED' then
    return 'refused\tover'
  end
  if order and order.status ~= 'ready' then
    return 'refused\t' .. (FINAL[order.status] and 'over' or 'open')
  end
  payment.status, payment.captured_at, payment.capture_before = 'PAYMENT_SUCCESSFUL', now, nil
  payments.changed(id, payment)
  return 'captured\t' .. payments.note_event('payment.captured', id, payment, order)
end)
