-- reserve-order
-- Reserves orders: each redeems one drink of the current code, and becomes reserved until its customer has chosen.
-- Needs    shop.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long an Idempotency-Key is remembered, and a customer's index after their last order, ms
-- ARGV[…]  per order: order id, code, details (a JSON object), customer id, Idempotency-Key, hash of the body ('' where absent)
-- Returns  per order {'reserved', id, the order as JSON} (asked again by its key: the first one, as it is now) | {'mismatch'}
--          | {'damaged'}
--          | {'refused', why, ''}: closed, full, too_many_open, code_wrong,
--          code_used_up

local retention_ms = tonumber(ARGV[1])

local function pay_and_reserve(id, order)
  local unpaid = spend_code(order.code)
  if unpaid then
    return unpaid
  end
  write_order(id, order, order)
  redis.call('ZADD', key.reserved, now_ms + 1000 * setting('customer_timeout_seconds'), id)
  redis.call('ZADD', key.orders, now_ms, id)
end

local function reserve(id, code, details, customer_id, idempotency_key, body_hash)
  local before = find_once(id, idempotency_key, body_hash)
  if before and before[1] == 'mismatch' then
    return before
  end
  local first_id = before and before[2] or id
  local first, fault = read_order(first_id)
  if first then
    return { 'reserved', first_id, encode_order(first) }
  end
  if fault ~= NONE then
    return refuse(first_id, first, fault)
  end
  local refusal = refuse_at_door(customer_id)
  if refusal then
    return refusal
  end
  -- Fail where they hold a value of another type, before a drink is spent.
  redis.call('ZCARD', key.reserved)
  redis.call('ZCARD', key.orders)

  local order = {
    status = 'reserved',
    attempts = '0',
    told = members_of(details) .. '"placed_at":"' .. now .. '"',
    details = details,
    customer_id = customer_id ~= '' and customer_id or nil,
    code = code,
    once = idempotency_key ~= '' and idempotency_key or nil,
  }
  refusal = let_in(id, order, retention_ms, pay_and_reserve)
  if refusal then
    return refusal
  end
  keep_once(id, idempotency_key, body_hash, retention_ms)
  return { 'reserved', id, append_event(id, 'reserved', order) }
end

local replies = each_item(2, 6, reserve)
close_door()
return replies
