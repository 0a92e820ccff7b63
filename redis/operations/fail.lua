-- fail
-- Notes that an order can't be made: it goes back to its place in the queue, at once or later, while it has attempts left; else it
-- is cancelled, with its error.
-- Fields   order_id, barista (JSON; '' is any), failure (why, a JSON string), retry (1 or 0), delay (ms until it may be started again)
-- Answers  failed_for_now, the order | cancelled, the order | unknown | conflict, status, barista (JSON)

operation('fail', 5, function(id, barista, failure, retry, delay)
  local order = find_order(id)
  if not holds(order, barista) then
    return refuse(order)
  end
  local failed = copy_order(order)
  failed.failure = failure
  if retry ~= '1' or order.attempts + 0 >= MAX_ATTEMPTS then
    close_order(id, failed, 'cancelled', 'machine_error')
    return 'cancelled', id
  end
  failed.status, failed.barista, failed.started_at, failed.claim = 'queued', '', '', ''
  if tonumber(delay) > 0 then
    failed.due = string.format('%.0f', now_ms + delay)
  end
  put_order(id, failed, 'order.failed')
  return 'failed_for_now', id
end)
