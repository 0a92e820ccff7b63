-- take
-- Notes that staff have taken the money for an unpaid order, and queues it. Taken again it answers the same.
-- Fields   order_id, barista (JSON; '' is not said)
-- Answers  taken, the payment (JSON) | unknown | refused, why: card, over

operation('take', function(id, barista)
  local order = find_order(id)
  local payment = order and payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.kind ~= 'counter' then
    return 'refused\tcard'
  end
  if payment.status == 'PAYMENT_SUCCESSFUL' then
    return 'taken\t' .. encode_payment(id, payment)
  end
  if payment.status ~= 'PAYMENT_PENDING' or order.status ~= 'unpaid' then
    return 'refused\tover'
  end
  payments.check_paid(order)
  payment.status, payment.captured_at, payment.expires_at = 'PAYMENT_SUCCESSFUL', now, nil
  payment.taken_by = barista ~= '' and cjson.decode(barista) or nil
  payments.changed(id, payment)
  payments.queue_paid(id, order)
  return 'taken\t' .. payments.note_event('payment.taken', id, payment, order)
end)
