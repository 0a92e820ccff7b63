-- fail
-- Notes that an order can't be made: it goes back into its queue, at once or later, while it has attempts left; else it
-- is cancelled, with its error.
-- Fields   order_id, barista (JSON; '' is any), failure (why, a JSON string), retry (1 or 0),
--          delay (ms until it may be started again) | attempts, started_at (only for the start that these name: to fail
--          that again answers the same)
-- Answers  failed_for_now, the order | cancelled, the order | unknown | conflict, status, barista (JSON)

-- Whether the start of this attempt ended so: no barista has the order since.
local function has_failed_so(order, failure, attempts)
  if not order or not attempts or attempts ~= order.attempts .. '' or failure ~= order.failure then
    return false
  end
  return order.status == 'queued' or (order.status == 'cancelled' and order.reason == 'machine_error')
end

operation('fail', function(id, barista, failure, retry, delay, attempts, started_at)
  local order = find_order(id)
  if not holds(order, barista) or not was_started(order, attempts, started_at) then
    if has_failed_so(order, failure, attempts) then
      return order.status == 'cancelled' and 'cancelled' or 'failed_for_now', id
    end
    return refuse(order)
  end
  if retry ~= '1' or order.attempts + 0 >= max_attempts_of(order.queue) then
    close_order(id, order, 'cancelled', 'machine_error', nil, failure)
    return 'cancelled', id
  end
  local due = tonumber(delay) > 0 and string.format('%d', now_ms + delay) or ''
  if due ~= '' then
    check_type(key.delayed(order.queue), 'zset')
  end
  enter(id, order, 'queued')
  set_field(order, 'failure', failure)
  set_field(order, 'due', due)
  set_field(order, 'progress', '')
  order.barista, order.started_at = '', ''
  set_claim(id, order, '')
  note_event('order.failed', id, order)
  return 'failed_for_now', id
end)
