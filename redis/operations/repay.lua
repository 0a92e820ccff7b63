-- repay
-- Notes that the provider has given back what it took, or why it did not. Repaid again it answers the same.
-- Fields   order_id, failure (why the provider refused, a JSON string; else '')
-- Answers  repaid, the payment (JSON) | unknown | refused, why: over

operation('repay', function(id, failure)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.status == 'PAYMENT_REFUNDED' then
    return 'repaid\t' .. encode_payment(id, payment)
  end
  if payment.status ~= 'PAYMENT_SUCCESSFUL' or not payment.refund_requested_at then
    return 'refused\tover'
  end
  if failure ~= '' then
    -- It can be asked for again.
    payment.error = cjson.decode(failure)
    payment.refund_reason, payment.refund_requested_at, payment.refunded_by = nil, nil, nil
    payments.changed(id, payment)
    return 'repaid\t' .. payments.note_event('payment.refused', id, payment, order)
  end
  payment.status, payment.refunded_at, payment.refunded_amount, payment.error = 'PAYMENT_REFUNDED', now, payment.amount, nil
  payments.changed(id, payment)
  return 'repaid\t' .. payments.note_event('payment.refunded', id, payment, order)
end)
