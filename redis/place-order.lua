-- Places orders: each becomes queued under the day's next number, unless its id or its Idempotency-Key was placed before.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long an Idempotency-Key is remembered, and a customer's index after their last order, ms
-- ARGV[…]  per order: order id, queue, item, note, customer id, customer name, Idempotency-Key, hash of the body ('' where absent)
-- Returns  per order {'placed', id} | {'joined', id of the order first placed under the key} | {'mismatch'}

local retention_ms = tonumber(ARGV[1])
local DAY_MS = 86400000

-- Days since 1970 as YYYY-MM-DD (Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
local function date_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local day_of_era = z - era * 146097
  local year_of_era = math.floor(
    (day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365
  )
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local month_from_march = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * month_from_march + 2) / 5) + 1
  local month = month_from_march < 10 and month_from_march + 3 or month_from_march - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, day)
end

local today = math.floor(now_ms / DAY_MS)
local numbers = key.numbers(date_of(today))
local placed = {}

local function next_number()
  local number = redis.call('INCR', numbers)
  if number == 1 then
    redis.call('PEXPIRE', numbers, 2 * DAY_MS)
  end
  return number
end

-- What was placed under this Idempotency-Key before; nil where nothing was, or its order is forgotten.
local function find_once(id, idempotency_key, body_hash)
  local first_id, first_hash = string.match(redis.call('GET', key.once(idempotency_key)) or '', '^(%S+) (%S+)$')
  if not first_id or redis.call('EXISTS', key.order(first_id)) == 0 then
    return nil
  end
  if first_id == id then
    return { 'placed', id }
  end
  return first_hash == body_hash and { 'joined', first_id } or { 'mismatch' }
end

local function flatten(fields)
  local list = {}
  for name, value in pairs(fields) do
    list[#list + 1] = name
    list[#list + 1] = value
  end
  return unpack(list)
end

-- A customer's index forgets as it grows: what retention has removed, a few entries each time.
local function index_for_customer(id, index)
  redis.call('ZADD', index, now_ms, id)
  redis.call('PEXPIRE', index, 2 * retention_ms)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now_ms - retention_ms, 'LIMIT', 0, 10)) do
    if redis.call('EXISTS', key.order(old)) == 0 then
      redis.call('ZREM', index, old)
    end
  end
end

local function place(id, queue, item, note, customer_id, customer_name, idempotency_key, body_hash)
  local before = idempotency_key ~= '' and find_once(id, idempotency_key, body_hash)
  if before then
    return before
  end
  if redis.call('ZADD', key.orders, 'NX', now_ms, id) == 0 then
    return { 'placed', id }
  end

  local number = next_number()
  -- Numbers start anew each day; the place in the queue does not.
  local place = string.format('%.0f', today * 1000000000 + number)
  local fields = {
    status = 'queued',
    number = string.format('%.0f', number),
    item = item,
    attempts = '0',
    placed_at = string.format('%.0f', now_ms),
    queue = queue,
    entry = redis.call('XADD', key.queue(queue), '*', 'order_id', id),
    place = place,
    note = note ~= '' and note or nil,
    customer_id = customer_id ~= '' and customer_id or nil,
    customer_name = customer_name ~= '' and customer_name or nil,
    once = idempotency_key ~= '' and idempotency_key or nil,
  }
  redis.call('HSET', key.order(id), flatten(fields))
  redis.call('ZADD', key.waiting(queue), place, id)
  if customer_id ~= '' then
    index_for_customer(id, key.orders_of(customer_id))
  end
  if idempotency_key ~= '' then
    redis.call('SET', key.once(idempotency_key), id .. ' ' .. body_hash, 'PX', retention_ms)
  end
  append_event(id, 'placed', cjson.encode(fields))
  placed[queue] = (placed[queue] or 0) + 1
  return { 'placed', id }
end

local replies = each_item(2, 8, place)
for queue, count in pairs(placed) do
  redis.call('SADD', key.queues, queue)
  wake_baristas(queue, count)
end
return replies
