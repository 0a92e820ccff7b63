-- cancel
-- Cancels an order: a customer's while it is reserved, unpaid, scheduled or queued, a barista's also while it is
-- brewing. Cancelling again for the same reason answers the same.
-- Fields   order_id, canceller (customer or barista), reason, barista (JSON; '' is any)
-- Answers  cancelled, the order | unknown | conflict, status, barista (JSON)

local NOT_STARTED_YET = { reserved = true, unpaid = true, scheduled = true, queued = true }

operation('cancel', function(id, canceller, reason, barista)
  local order = find_order(id)
  if order and order.status == 'cancelled' and order.reason == reason then
    return 'cancelled', id
  end
  local may_cancel = order and NOT_STARTED_YET[order.status] or canceller == 'barista' and holds(order, barista)
  if not may_cancel then
    return refuse(order)
  end
  close_order(id, order, 'cancelled', reason)
  return 'cancelled', id
end)
