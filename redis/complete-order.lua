-- complete-order
-- Completes reservations: each becomes queued under the day's next number, for what its customer has chosen.
-- Completing again with the same choice answers the same. Closed or full does not matter here: they were let in before.
-- Needs    shop.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, queue, item, modifiers (a JSON object, '' where absent), details (a JSON object),
--          hash of the choice
-- Returns  per order {'completed', id, the order as JSON} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista} | {'refused', why, subject}: as place-order.lua says

local retention_ms = tonumber(ARGV[1])

-- What was said when it was reserved, and what is said now.
local function merge_details(before, now_said)
  local merged = cjson.decode(before)
  for name, value in pairs(cjson.decode(now_said)) do
    merged[name] = value
  end
  return cjson.encode(merged)
end

local function complete(id, queue, item, modifiers, details, choice)
  local order, fault = read_order(id)
  if order and order.choice == choice then
    -- It may have been this run that queued it.
    write_gathered()
    return { 'completed', id, describe_order(id, order) }
  end
  if not order or order.status ~= 'reserved' then
    return refuse(id, order, fault)
  end
  -- One that the index has lost is in time.
  if (tonumber(redis.call('ZSCORE', key.reserved, id) or nil) or now_ms + 1) <= now_ms then
    cancel_order(id, order, 'customer_timeout', retention_ms)
    return refuse(id, order)
  end
  local refusal, price = check_choice(item, modifiers)
  if refusal then
    return refusal
  end

  local merged = merge_details(order.details, details)
  order.details = nil
  order.choice = choice
  enqueue_order(id, order, queue, item, price, merged)
  redis.call('ZREM', key.reserved, id)
  redis.call('HDEL', key.order(id), 'details')
  write_gathered()
  return { 'completed', id, describe_order(id, order) }
end

local replies = each_item(2, 6, complete)
close_door()
return replies
