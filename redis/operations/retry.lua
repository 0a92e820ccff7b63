-- retry
-- Makes a dead order again: a new order for the same, which names it, and is not paid for. Again for the same one it
-- answers the first.
-- Fields   order_id, new_id, retried_by (JSON; '' is not said) | traceparent (of the new order's trace; '' it has none)
-- Answers  retried, the new order with its position | unknown | conflict, status, barista (JSON)

-- The member that names the order's trace. (No text has such a member in it: a quote inside stands behind a backslash,
-- and no modifier's option is as long.)
local TRACEPARENT = '"traceparent":"' .. string.rep('[%x-]', 55) .. '",'

-- The members that the order got when it was made again itself, and when it was scheduled, are left out: they stand
-- last. (A modifier of these names is followed by a brace; inside of a string a quote stands behind a backslash.)
-- So are its trace, and how it was paid, which stands behind its price.
local function without_own(members)
  members = string.gsub(members, TRACEPARENT, '')
  local before, retried_by = string.match(members, '^(.*)"retry_of":"[^"]*","retried_by":(".*"),$')
  if not before or not is_text(retried_by) then
    before = string.match(members, '^(.*)"retry_of":"[^"]*",$')
  end
  members = string.gsub(before or members, '^("item":"[^"]*","price":%d+,)"payment_kind":"%l+",', '%1')
  return string.match(members, '^(.*)"not_before":"[^"]*",$') or members
end

-- What never changes of the new order: the old one's, under a new number and time.
local function fixed_again(id, order, number, retried_by, traceparent)
  local kept = without_own(string.match(order.fixed, '^"number":%d+,(.*)"placed_at":"[^"]*"$'))
  if traceparent ~= '' then
    kept = kept .. '"traceparent":"' .. traceparent .. '",'
  end
  return '"number":' .. number .. ',' .. kept .. '"retry_of":"' .. id .. '",'
    .. (retried_by ~= '' and '"retried_by":' .. retried_by .. ',' or '') .. '"placed_at":"' .. now .. '"'
end

operation('retry', function(id, new_id, retried_by, traceparent)
  local idempotency_key = 'retry ' .. id
  local order = find_order(id)
  local first_id = order and find_by_idempotency_key(idempotency_key, '-')
  if first_id and first_id ~= 'mismatch' then
    return 'retried', first_id, 'describe'
  end
  if not order or not is_dead(order) then
    return refuse(order)
  end
  local is_call = order.input ~= ''
  local number, queue_number, label
  if is_call then
    check_labels(order.queue)
    number = next_call_number(order.queue)
    queue_number = number
    label = select(2, find_labelled(order.queue, string.match(order.fixed, '^"number":(%d+)')))
  else
    number, queue_number = next_number()
  end
  local customer_id = customer_of(order) or ''
  local fixed = fixed_again(id, order, number, retried_by, traceparent or '')
  local again = new_order('queued', order.queue, queue_number, '', idempotency_key, customer_id, fixed)
  set_field(again, 'input', order.input)
  add_order(new_id, again, customer_id)
  if is_call then
    take_call_number(order.queue)
    index_label(new_id, order.queue, label, number)
  else
    take_number()
  end
  keep_idempotency_key(new_id, idempotency_key, '-')
  revived[#revived + 1] = id
  return 'retried', new_id, 'describe'
end)
