-- retry
-- Makes a dead order again: a new order for the same, which names it. Again for the same one it answers the first.
-- Fields   order_id, new_id, retried_by (JSON; '' is not said)
-- Answers  retried, the new order with its position | unknown | conflict, status, barista (JSON)

-- What never changes of the new order: the old one's, under a new number and time.
local function fixed_again(id, order, number, retried_by)
  local kept = string.match(order.fixed, '^"number":%d+,(.*)"placed_at":"[^"]*"$')
  -- (Inside of a JSON string each of these quotes would stand behind a backslash.)
  local again_at = string.find(kept, '"retry_of":"', 1, true)
  kept = string.gsub(again_at and string.sub(kept, 1, again_at - 1) or kept, '"not_before":"[^"]*",', '')
  return '"number":' .. number .. ',' .. kept .. '"retry_of":"' .. id .. '",'
    .. (retried_by ~= '' and '"retried_by":' .. retried_by .. ',' or '') .. '"placed_at":"' .. now .. '"'
end

operation('retry', function(id, new_id, retried_by)
  local idempotency_key = 'retry ' .. id
  local order = find_order(id)
  local first_id = order and find_by_idempotency_key(idempotency_key, '-')
  if first_id then
    return 'retried', first_id, 'describe'
  end
  if not order or order.status ~= 'cancelled' or not IS_DEAD[order.reason] then
    return refuse(order)
  end
  local is_call = order.input ~= ''
  local number, queue_number
  if is_call then
    number = next_call_number(order.queue)
    queue_number = number
  else
    number, queue_number = next_number()
  end
  local customer_id = customer_of(order) or ''
  local fixed = fixed_again(id, order, number, retried_by)
  local again = new_order('queued', order.queue, queue_number, '', idempotency_key, customer_id, fixed)
  set_field(again, 'input', order.input)
  add_order(new_id, again, customer_id, 'order.placed')
  if is_call then
    take_call_number(order.queue)
  else
    take_number()
  end
  keep_idempotency_key(new_id, idempotency_key, '-')
  revived[#revived + 1] = id
  return 'retried', new_id, 'describe'
end)
