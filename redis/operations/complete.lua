-- complete
-- Queues a reserved order under the day's next number, for what its customer has chosen. The same choice again answers
-- the same. Closed or full does not matter here: its customer was let in before.
-- Fields   order_id, queue, item, modifiers (a JSON object, '' where absent), details (a JSON object), choice (hash)
-- Answers  completed, the order with its position | unknown | conflict, status, barista (JSON)
--          | refused, why, subject (JSON): as place

-- The details given when it was reserved, and those given now.
local function merge_details(fixed, details)
  local merged = cjson.decode('{' .. fixed .. '}')
  merged.placed_at = nil
  for name, value in pairs(cjson.decode(details)) do
    merged[name] = value
  end
  return cjson.encode(merged)
end

operation('complete', function(id, queue, coffee, modifiers, details, choice)
  local order = find_order(id)
  if order and order.choice == choice then
    return 'completed', id, 'describe'
  end
  if not order or order.status ~= 'reserved' then
    return refuse(order)
  end
  if has_run_out(key.reserved, id) then
    close_order(id, order, 'cancelled', 'customer_timeout')
    return refuse(find_order(id))
  end
  local why, subject, price = check_choice(coffee, modifiers)
  if why then
    return 'refused\t' .. why .. '\t' .. (subject and cjson.encode(subject) or '')
  end

  local number_text, queue_number = next_number()
  local kind = payments.kind_for(price)
  local fixed = fixed_members(number_text, coffee, price, merge_details(order.fixed, details), kind)
  if kind then
    payments.check_keys()
    check_type(key.unpaid(queue), 'zset')
  end
  enter(id, order, kind and 'unpaid' or 'queued', queue)
  order.queue, order.queue_number, order.fixed = queue, queue_number, fixed
  set_field(order, 'choice', choice)
  note_event(FIRST_EVENT[order.status], id, order)
  take_number()
  if kind then
    order.deadline = payments.new_deadline()
    payments.add(id, kind, price, order.deadline)
  end
  return 'completed', id, 'describe'
end)
