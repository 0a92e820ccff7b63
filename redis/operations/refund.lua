-- refund
-- Notes that staff give the money back of an order that is over: cash at once, a card's once the provider has done so.
-- Asked again it answers the same.
-- Fields   order_id, reason (JSON), barista (JSON; '' is not said)
-- Answers  refunding, the payment (JSON) | unknown | refused, why: unpaid, open

operation('refund', function(id, reason, barista)
  local order, payment = find_order(id), payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.refund_reason then
    return 'refunding\t' .. encode_payment(id, payment)
  end
  if payment.status ~= 'PAYMENT_SUCCESSFUL' then
    return 'refused\tunpaid'
  end
  if order and not FINAL[order.status] then
    return 'refused\topen'
  end
  payment.refund_reason = cjson.decode(reason)
  payment.refunded_by = barista ~= '' and cjson.decode(barista) or nil
  if payment.kind == 'counter' then
    payment.status, payment.refunded_at, payment.refunded_amount = 'PAYMENT_REFUNDED', now, payment.amount
    payments.changed(id, payment)
    return 'refunding\t' .. payments.note_event('payment.refunded', id, payment, order)
  end
  payment.refund_requested_at = now
  payments.changed(id, payment, now_ms)
  return 'refunding\t' .. payments.note_event('payment.refunding', id, payment, order)
end)
