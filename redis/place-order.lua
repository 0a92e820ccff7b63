-- place-order
-- Places orders: each becomes queued under the day's next number, unless its id or its Idempotency-Key was placed before, or the
-- shop does not let it in. A code is spent last, so that nobody who is refused has spent it.
-- Needs    shop.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long an Idempotency-Key is remembered, and a customer's index after their last order, ms
-- ARGV[…]  per order: order id, queue, item, modifiers (a JSON object), details (a JSON object), customer id, code,
--          Idempotency-Key, hash of the body ('' where absent)
-- Returns  per order {'placed', id} | {'joined', id of the order first placed under the key} | {'mismatch'}
--          | {'refused', why, subject}: closed, full, too_many_open; unknown_item, unavailable_item (item),
--          unknown_modifier, unknown_option (modifier); code_required, code_wrong, code_used_up

local WIDTH = 9
local FIRST = 2
local retention_ms = tonumber(ARGV[1])
-- The orders of this run that are placed already.
local placed = {}

local function read_placed()
  local ids = {}
  for at = FIRST, #ARGV, WIDTH do
    ids[#ids + 1] = ARGV[at]
  end
  for i, placed_at_ms in ipairs(redis.call('ZMSCORE', key.orders, unpack(ids))) do
    placed[ids[i]] = placed_at_ms and true or nil
  end
end

local function pay_with_code(code)
  if setting('require_code') ~= 'true' then
    return nil
  end
  return code == '' and { 'refused', 'code_required', '' } or spend_code(code)
end

local function pay_and_enqueue(id, order, code, queue, item, price, details)
  local unpaid = pay_with_code(code)
  if unpaid then
    return unpaid
  end
  enqueue_order(id, order, queue, item, price, details)
end

local function place(id, queue, item, modifiers, details, customer_id, code, idempotency_key, body_hash)
  local before = find_once(id, idempotency_key, body_hash)
  if before then
    return before
  end
  if placed[id] then
    return { 'placed', id }
  end
  local refusal = refuse_at_door(customer_id)
  if refusal then
    return refusal
  end
  local fault, price = check_choice(item, modifiers)
  if fault then
    return fault
  end

  check_queue(queue)
  local order = {
    customer_id = customer_id ~= '' and customer_id or nil,
    once = idempotency_key ~= '' and idempotency_key or nil,
  }
  refusal = let_in(id, order, retention_ms, pay_and_enqueue, code, queue, item, price, details)
  if refusal then
    return refusal
  end
  placed[id] = true
  keep_once(id, idempotency_key, body_hash, retention_ms)
  return { 'placed', id }
end

read_placed()
local replies = each_item(FIRST, WIDTH, place)
close_door()
return replies
