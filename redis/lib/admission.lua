-- admission
-- Owns the admission of orders: what the shop's settings, its code and its queues say; and their end.
-- Needs lib/writes.lua lib/settings.lua lib/menu.lua lib/buckets.lua lib/numbers.lua lib/idempotency.lua
-- Needs lib/payments.lua
--
-- Invariants
-- - A check spends nothing.
-- - The cost of an order is taken when it is let in, and written at the end of the run.

-- Open orders as stored; nil until admission needs to know.
local open_before, open_of_before, open_in_before
local refusals
-- The settings that decide who is let in, read once a run.
local rules
-- The current code; nil before it is read, false where there is none. `spent` counts the drinks of this run.
local code

each_run(function()
  open_of_before, open_in_before, refusals = {}, {}, {}
  open_before, rules, code = nil, nil, nil
end)

local function open_of(customer_id)
  open_of_before[customer_id] = open_of_before[customer_id] or redis.call('SCARD', key.open_of(customer_id))
  return open_of_before[customer_id] + (opened_by[customer_id] or 0)
end

-- Drops some of what a customer's open orders name that is open no more: a record may be gone.
local function drop_closed(customer_id)
  local dropped = { 'SREM', key.open_of(customer_id) }
  for _, id in ipairs(redis.call('SRANDMEMBER', key.open_of(customer_id), 100)) do
    local order = look_at(id)
    if not order or order == DAMAGED or (FINAL[order.status] and order.was == nil) then
      dropped[#dropped + 1] = id
    end
  end
  if #dropped > 2 then
    open_of_before[customer_id] = open_of_before[customer_id] - redis.call(unpack(dropped))
  end
end

local function find_rules()
  rules = rules or {
    is_open = setting('open') == 'true',
    needs_code = setting('require_code') == 'true',
    capacity = tonumber(setting('capacity')),
    max_open = tonumber(setting('max_open_per_customer')),
    is_free = setting('payment') == '"off"',
  }
  return rules
end

local function has_too_many(customer_id)
  local max_open = customer_id ~= '' and find_rules().max_open
  if not max_open or open_of(customer_id) < max_open then
    return false
  end
  drop_closed(customer_id)
  return open_of(customer_id) >= max_open
end

-- Whether a queue of machines has all the orders that it may have open.
local function is_queue_full(queue, rules)
  open_in_before[queue] = open_in_before[queue] or count_open_in(queue)
  return open_in_before[queue] + (opened_in[queue] or 0) >= rules.capacity
end

-- The answer to a new order that admission need not look at: it was placed before, by its key or its id, or its address
-- is out of tokens. Nil for others.
local function answer_early(id, bucket, idempotency_key, body_hash)
  local first_id = find_by_idempotency_key(idempotency_key, body_hash)
  if first_id == 'mismatch' then
    return 'mismatch\t' .. describe_bucket(bucket)
  end
  if first_id and first_id ~= id then
    return 'joined\t' .. first_id .. '\t' .. describe_bucket(bucket)
  end
  if orders[id] or records[id] then
    return 'placed\t' .. describe_bucket(bucket)
  end
  return not has_token(bucket) and 'denied\t' .. describe_bucket(bucket) or nil
end

-- Why the shop is closed to all, or to this customer; nil where they are let in.
local function why_refused(customer_id)
  local capacity = find_rules().capacity
  if not rules.is_open then
    return 'closed'
  end
  if capacity then
    open_before = open_before or count_open()
    if open_before + opened >= capacity then
      return 'full'
    end
  end
  return has_too_many(customer_id) and 'too_many_open' or nil
end

-- Counts a refusal: one event a run and reason, so that many customers at a closed shop do not push all others out.
local function count_refusal(reason)
  refusals[reason] = (refusals[reason] or 0) + 1
end

local function add_refusals()
  for reason, count in pairs(refusals) do
    add_event('shop.refused', '', '"reason":"' .. reason .. '","count":' .. count)
  end
end

local function find_code()
  if code == nil then
    local text, remaining, ends_at = unpack(redis.call('HMGET', key.code, 'code', 'remaining', 'ends_at'))
    code = text and now_ms < (tonumber(ends_at) or 0) and { text = text, remaining = tonumber(remaining) or 0, spent = 0 } or false
  end
  return code
end

-- The fault of a code; nil where a drink of it can be had.
local function check_code(given)
  local current = find_code()
  if not current or current.text ~= given then
    return 'code_wrong'
  end
  return current.remaining - current.spent <= 0 and 'code_used_up' or nil
end

local function spend_code()
  code.spent = code.spent + 1
end

-- Gives the drink of a reservation back to its code, while that is the current one, and can be read.
local function restore_code(given)
  local ok, current = pcall(find_code)
  if given ~= '' and ok and current and current.text == given then
    current.spent = current.spent - 1
  end
end

local function write_code()
  if code and code.spent ~= 0 then
    try('HINCRBY', key.code, 'remaining', -code.spent)
  end
end

-- The members of a JSON object, to stand before others; '' where it has none.
local function members_of(json)
  return json ~= '' and json ~= '{}' and string.sub(json, 2, -2) .. ',' or ''
end

-- The members that never change of an order that is queued now, or once it is paid in this way.
local function fixed_members(order_number, item, price, details, payment_kind)
  return '"number":' .. order_number .. ',"item":"' .. item .. '","price":' .. price .. ','
    .. (payment_kind and '"payment_kind":"' .. payment_kind .. '",' or '') .. members_of(details) .. '"placed_at":"' .. now .. '"'
end

local MAX_SCHEDULED_MS = 7 * DAY_MS

-- Why an order can't be scheduled for this time (ms since 1970; '' or nil is at once); nil where it can.
local function check_due(due)
  if not due or due == '' then
    return nil
  end
  local ahead_ms = due - now_ms
  return ahead_ms <= 0 and 'not_before_past' or ahead_ms > MAX_SCHEDULED_MS and 'not_before_far' or nil
end

-- The order, scheduled where it is not to be started before it is due (ms since 1970; '' or nil is at once).
local function scheduled_for(order, due)
  if due and due ~= '' then
    order.status = 'scheduled'
    set_field(order, 'due', due)
  end
  return order
end

-- Makes an order final, from whatever state the caller has checked.
local function close_order(id, order, status, reason, result, failure)
  if order.status == 'reserved' and order.code ~= '' then
    find_code() -- its key is read before anything is changed
  end
  local was_reserved = order.status == 'reserved'
  local unpaid = order.status == 'unpaid' and payments.look_at(id)
  enter(id, order, status)
  order.finished_at = now
  if order.deadline then
    order.deadline = nil
  end
  if order.is_unusual or reason ~= '' or result ~= '' then
    set_field(order, 'reason', reason)
    set_field(order, 'due', '')
    set_field(order, 'result', result or order.result)
    set_field(order, 'failure', status == 'ready' and '' or failure or order.failure)
    set_field(order, 'progress', '')
  end
  set_claim(id, order, '')
  note_event(status == 'ready' and 'order.finished' or 'order.cancelled', id, order)
  if was_reserved then
    restore_code(order.code)
  end
  if unpaid then
    payments.close_unpaid(id, unpaid, order)
  end
  if is_dead(order) then
    died[#died + 1] = id
  end
end

local function write_admission(retention_ms)
  write_idempotency_keys(retention_ms)
  write_buckets()
  write_code()
  write_numbers()
  payments.write()
end
