-- attempt
-- Notes that a card is being tried for an unpaid order: the provider is asked next. The same method again, while that
-- is under way, answers the same.
-- Fields   order_id, method, look_ms (if nothing has come of it after so long, another server goes on)
-- Answers  attempted, the payment (JSON), which try it is, the provider's intent or '' | joined, the payment | unknown
--          | refused, why: counter, paid, over, under_way, tries (too many were refused)

-- (Who tries stolen cards tries many.)
local MAX_TRIES = 10

operation('attempt', function(id, method, look_ms)
  local order = find_order(id)
  local payment = order and payments.find(id)
  if not payment then
    return 'unknown'
  end
  if payment.kind ~= 'card' then
    return 'refused\tcounter'
  end
  if order.status ~= 'unpaid' or payment.status ~= 'PAYMENT_PENDING' then
    return 'refused\t' .. (FINAL[order.status] and 'over' or 'paid')
  end
  if has_run_out(key.unpaid(order.queue), id) then
    return 'refused\tover'
  end
  if payment.method then
    return payment.method == method and 'joined\t' .. encode_payment(id, payment) or 'refused\tunder_way'
  end
  if payment.attempt >= MAX_TRIES then
    return 'refused\ttries'
  end
  payment.attempt, payment.method, payment.is_under_way, payment.error = payment.attempt + 1, method, true, nil
  payments.changed(id, payment, now_ms + look_ms)
  return 'attempted\t' .. payments.note_event('payment.attempted', id, payment, order) .. '\t' .. string.format('%d', payment.attempt)
    .. '\t' .. (payment.intent or '')
end)
