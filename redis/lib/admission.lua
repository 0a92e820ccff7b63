-- admission
-- Owns the admission of orders: settings, code, Idempotency-Key, number of the day, and the bucket of the address.
-- Needs lib/writes.lua lib/settings.lua lib/menu.lua
--
-- Invariants
-- - A check spends nothing.
-- - The cost of an order is taken when it is let in, and written at the end of the run.

-- The capacity of a bucket, tokens, and how many it gets a second.
local limit_capacity, limit_refill_per_second
-- Buckets by name, as they are now. A bucket starts full and refills steadily.
local buckets
local clock_seconds, clock_text
-- Open orders as stored; nil until admission needs to know.
local open_before, open_of_before
local refusals
-- The settings that decide who is let in, read once a run.
local rules
-- The current code; nil before it is read, false where there is none. `spent` counts the drinks of this run.
local code
-- The number of the day's last order, as it was before this run and as it is now; nil until one is needed.
local first_number, number
-- How queue numbers begin of this day's numbers of as many digits as the last one.
local queue_number_start, digits
-- Idempotency-Keys that this run keeps for the first time.
local new_idempotency_keys

each_run(function()
  limit_capacity, limit_refill_per_second = tonumber(ARGV[6]), tonumber(ARGV[7])
  clock_seconds = now_ms / 1000
  clock_text = string.sub(now_text, 1, -4) .. '.' .. string.sub(now_text, -3)
  buckets, open_of_before, refusals, new_idempotency_keys = {}, {}, {}, {}
  open_before, rules, code, first_number, number, digits = nil, nil, nil, nil, nil, nil
end)

-- Under no name there is no limit.
local function find_bucket(name)
  local bucket = buckets[name]
  if not bucket then
    local tokens, at = unpack(redis.call('HMGET', key.bucket(name), 'tokens', 'at'))
    -- A clock that was set back must not empty the bucket.
    local elapsed = tonumber(at) and math.max(0, clock_seconds - at) or 0
    tokens = math.min(limit_capacity, (tonumber(tokens) or limit_capacity) + elapsed * limit_refill_per_second)
    bucket = { tokens = tokens, is_taken = false }
    buckets[name] = bucket
  end
  return bucket
end

local function full_ms(bucket)
  return math.ceil((limit_capacity - bucket.tokens) / limit_refill_per_second * 1000)
end

-- The state of its bucket that an address may know: whole tokens left, ms until there is one, ms until it is full.
local function describe(bucket)
  local tokens = bucket.tokens
  local full = math.ceil((limit_capacity - tokens) / limit_refill_per_second * 1000)
  if tokens >= 1 then
    return string.format('%d\t0\t%d', tokens, full)
  end
  return string.format('0\t%d\t%d', math.ceil((1 - tokens) / limit_refill_per_second * 1000), full)
end

local function describe_bucket(name)
  return name == '' and '0\t0\t0' or describe(find_bucket(name))
end

local function has_token(name)
  return name == '' or find_bucket(name).tokens >= 1
end

local function take_from(bucket)
  bucket.tokens = bucket.tokens - 1
  bucket.is_taken = true
end

local function take_token(name)
  if name == '' then
    return
  end
  take_from(find_bucket(name))
end

local function write_buckets()
  for name, bucket in pairs(buckets) do
    if bucket.is_taken then
      local tokens, at = string.format('%.6f', bucket.tokens), clock_text
      redis.call('HSET', key.bucket(name), 'tokens', tokens, 'at', at)
      redis.call('PEXPIRE', key.bucket(name), string.format('%d', math.max(1, full_ms(bucket))))
    end
  end
end

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

local QUEUE_NUMBERS_PER_DAY = 1000000000 -- numbers start anew each day, queue numbers do not

-- The day's next number, and its queue number. It is taken by `take_number`.
local function next_number()
  if not number then
    local last = redis.call('GET', key.numbers(date)) or '0'
    if not string.find(last, '^%d+$') then
      error({ err = 'WRONGTYPE the count of the day holds no number' })
    end
    first_number = tonumber(last)
    number = first_number
  end
  local number_text = string.format('%d', number + 1)
  if #number_text ~= digits then
    digits = #number_text
    queue_number_start = string.sub(string.format('%d', today * QUEUE_NUMBERS_PER_DAY), 1, -1 - digits)
  end
  return number_text, queue_number_start .. number_text
end

local function take_number()
  number = number + 1
end

local function write_numbers()
  local taken = number and number - first_number or 0
  if taken > 0 and redis.call('INCRBY', key.numbers(date), string.format('%d', taken)) == taken then
    redis.call('PEXPIRE', key.numbers(date), 2 * DAY_MS)
  end
end

-- The order that was made under this Idempotency-Key before ('' is none): its id, or 'mismatch' where the body was
-- another. Nil where there was none, or it is forgotten.
local function find_by_idempotency_key(idempotency_key, body_hash)
  if idempotency_key == '' then
    return nil
  end
  local kept = read_string(key.idempotency_key(idempotency_key))
  if not kept then
    check_type(key.idempotency_key(idempotency_key), 'string')
  end
  local first_id, first_hash = string.match(kept or '', '^(%S+) (%S+)$')
  if not first_id or not find_order(first_id) then
    return nil
  end
  return first_hash == body_hash and first_id or 'mismatch'
end

local function keep_idempotency_key(id, idempotency_key, body_hash)
  if idempotency_key ~= '' then
    local name = key.idempotency_key(idempotency_key)
    strings[name] = id .. ' ' .. body_hash
    new_idempotency_keys[#new_idempotency_keys + 1] = name
  end
end

local function write_idempotency_keys(retention_ms)
  for _, name in ipairs(new_idempotency_keys) do
    redis.call('SET', name, strings[name], 'PX', retention_ms)
  end
end

-- The members of a JSON object, to stand before others; '' where it has none.
local function members_of(json)
  return json ~= '' and json ~= '{}' and string.sub(json, 2, -2) .. ',' or ''
end

-- The members that never change of an order that is queued now.
local function fixed_members(order_number, item, price, details)
  return '"number":' .. order_number .. ',"item":"' .. item .. '","price":' .. price .. ',' .. members_of(details)
    .. '"placed_at":"' .. now .. '"'
end

-- Makes an order final, from whatever state the caller has checked.
local function close_order(id, order, status, reason, result, failure)
  if order.status == 'reserved' and order.code ~= '' then
    find_code() -- its key is read before anything is changed
  end
  local was_reserved = order.status == 'reserved'
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
  end
  set_claim(id, order, '')
  note_event(status == 'ready' and 'order.finished' or 'order.cancelled', id, order)
  if was_reserved then
    restore_code(order.code)
  end
end

local function write_admission(retention_ms)
  write_idempotency_keys(retention_ms)
  write_buckets()
  write_code()
  write_numbers()
end
