-- Stands before every script (src/redis/script.ts puts it there): the shop's keys, the clock, and the steps that verbs share.
-- KEYS[1]  the shop's prefix, `{main}:`. It names no key; its hash tag puts the script into the shop's slot,
--          and every key of the shop is built from it here.
-- ARGV     is each script's own. Batches: shared arguments first, then `width` arguments for each item.

-- (What is only passed on is text: Redis would print each number that Lua gives it anew.)
local EVENTS_KEPT = '100000' -- about 40 MB
local WAITS_KEPT = 51        -- recent waits that the expected wait is the median of
local WAITS_MS = 86400000    -- an expected wait of yesterday is none
local CLAIM_SPENT_MS = 10000 -- outlives what is still on its way when an order is final
local BELL_MS = '120000'     -- outlives the longest block of a lane (30 s) and a reconnect

local shop = KEYS[1]
local key = {
  claims = shop .. 'claims',
  code = shop .. 'code',
  events = shop .. 'events',
  menu = shop .. 'menu',
  orders = shop .. 'orders',
  queues = shop .. 'queues',
  reserved = shop .. 'reserved',
  settings = shop .. 'settings',
  wake = shop .. 'wake',
  bell = function(id) return shop .. 'bell:' .. id end,
  leases = function(queue) return shop .. 'leases:' .. queue end,
  numbers = function(date) return shop .. 'numbers:' .. date end,
  open_of = function(customer_id) return shop .. 'open:of:' .. customer_id end,
  once = function(idempotency_key) return shop .. 'once:' .. idempotency_key end,
  order = function(id) return shop .. 'order:' .. id end,
  orders_of = function(customer_id) return shop .. 'orders:of:' .. customer_id end,
  queue = function(queue) return shop .. 'queue:' .. queue end,
  spent = function(period) return shop .. 'spent:' .. period end,
  waiting = function(queue) return shop .. 'waiting:' .. queue end,
  waits = function(queue) return shop .. 'waits:' .. queue end,
}

local DAY_MS = 86400000
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

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
local date = date_of(today)
local now_text = string.format('%.0f', now_ms)
-- The clock as RFC 3339 with milliseconds, as orders tell it.
local now = string.format(
  '%sT%02d:%02d:%02d.%03dZ',
  date, now_ms / 3600000 % 24, now_ms / 60000 % 60, now_ms / 1000 % 60, now_ms % 1000
)

-- Writes of a run that go to the same key travel together: a run has many items, and most of its keys are the same for all.
-- Whoever reads such a key before the end of the run calls write_gathered first.
local gathered = {}
local MOST_GATHERED = 1000
local BEFORE_VALUES = { XACK = 'baristas' }
-- How long gathered keys are kept after they are written, ms; for ever where nothing stands here.
local kept_ms = {}

local function write_gathered()
  for command, by_key in pairs(gathered) do
    for name, values in pairs(by_key) do
      redis.call(command, name, unpack(values))
      by_key[name] = nil
    end
  end
  for name, ms in pairs(kept_ms) do
    redis.call('PEXPIRE', name, ms)
    kept_ms[name] = nil
  end
end

local function gather(command, name, value, member)
  local by_key = gathered[command]
  if not by_key then
    by_key = {}
    gathered[command] = by_key
  end
  local values = by_key[name]
  if not values then
    values = { BEFORE_VALUES[command] }
    by_key[name] = values
  end
  values[#values + 1] = value
  values[#values + 1] = member
  if #values >= MOST_GATHERED then
    write_gathered()
  end
end

-- Answers what `handle` says of each item of `width` arguments from ARGV[first] on.
-- An item that fails answers {'failed', why}, and the others go on.
local function each_item(first, width, handle)
  local replies = {}
  for at = first, #ARGV, width do
    local ok, reply = pcall(handle, unpack(ARGV, at, at + width - 1))
    if not ok then
      reply = { 'failed', type(reply) == 'table' and reply.err or tostring(reply) }
    end
    replies[#replies + 1] = reply
  end
  write_gathered()
  return replies
end

-- The fields of a hash as a table; nil where there is no such key.
local function read_hash(name)
  local list = redis.call('HGETALL', name)
  if #list == 0 then
    return nil
  end
  local fields = {}
  for i = 1, #list, 2 do
    fields[list[i]] = list[i + 1]
  end
  return fields
end

local function read_order(id)
  return read_hash(key.order(id))
end

-- An order as JSON, as it goes over the wire but for its id, which stands beside it wherever it goes. `more` are further members.
-- What never changes once it is queued is kept as it is told: `told`, members without braces.
-- (One concatenation: Lua hashes every string it makes.)
local function encode_order(order, more)
  local barista, reason, finished_at = order.barista, order.reason, order.finished_at
  return '{' .. order.told .. ',"status":"' .. order.status .. (reason and '","reason":"' .. reason or '')
    .. '","attempts":' .. order.attempts
    .. (barista and ',"barista":' .. cjson.encode(barista) .. ',"started_at":"' .. order.started_at .. '"' or '')
    .. (finished_at and ',"finished_at":"' .. finished_at .. '"' or '')
    .. (more or '') .. '}'
end

local function append_to_events(type, order_id, json)
  redis.call('XADD', key.events, 'MAXLEN', '~', EVENTS_KEPT, '*', 'type', type, 'order_id', order_id, 'data', json)
end

-- Appends the event of a change just written. Returns the order as JSON.
local function append_event(id, verb, order)
  local json = encode_order(order)
  append_to_events('order.' .. verb, id, json)
  return json
end

-- Writes fields of an order, to its hash and to the table that was read from it.
local function write_order(id, order, fields)
  local list = {}
  for name, value in pairs(fields) do
    order[name] = value
    list[#list + 1] = name
    list[#list + 1] = value
  end
  redis.call('HSET', key.order(id), unpack(list))
end

-- A customer's index forgets as it grows: what retention has removed, a few entries each time.
local function index_for_customer(id, customer_id, retention_ms)
  local index = key.orders_of(customer_id)
  redis.call('ZADD', index, now_ms, id)
  redis.call('PEXPIRE', index, 2 * retention_ms)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now_ms - retention_ms, 'LIMIT', 0, 10)) do
    if redis.call('EXISTS', key.order(old)) == 0 then
      redis.call('ZREM', index, old)
    end
  end
end

-- When an order was placed, ms since 1970.
local function placed_ms(id)
  return tonumber(redis.call('ZSCORE', key.orders, id))
end

-- Rings the bell of a final order: whoever pops its first entry has the order, as JSON. The second one keeps it ringing for
-- whoever else waits on the same order; it tells nothing, so they look (answer-bells.lua), and ring it again.
local function ring_bell(id, json)
  redis.call('RPUSH', key.bell(id), json, '')
  redis.call('PEXPIRE', key.bell(id), BELL_MS)
end

-- Gives the drink of a reservation back to its code, while that is the current one.
local function restore_code(order)
  local code, ends_at = unpack(redis.call('HMGET', key.code, 'code', 'ends_at'))
  if code == order.code and now_ms < tonumber(ends_at) then
    redis.call('HINCRBY', key.code, 'remaining', 1)
  end
end

-- A claim is its order's while that is brewing under it: `claims` holds its order's id just as long as the order holds the claim.
-- Of a final order it is remembered for CLAIM_SPENT_MS at least: asked again by a reply that was lost on the way, it must not
-- start another one.
local function spent_claims(periods_ago)
  return key.spent(string.format('%.0f', math.floor(now_ms / CLAIM_SPENT_MS) - periods_ago))
end

-- Makes an order final: off the queue, the leases or the reservations, kept for `retention_ms`, its customers told.
-- Returns it as JSON.
local function close_order(id, order, fields, retention_ms)
  local queue = order.queue
  if order.status == 'reserved' then
    gather('ZREM', key.reserved, id)
    restore_code(order)
  else
    gather('ZREM', order.status == 'queued' and key.waiting(queue) or key.leases(queue), id)
    gather('XACK', key.queue(queue), order.entry)
    gather('XDEL', key.queue(queue), order.entry)
  end
  if order.customer_id then
    redis.call('SREM', key.open_of(order.customer_id), id)
  end
  fields.finished_at = now
  write_order(id, order, fields)
  redis.call('PEXPIRE', key.order(id), retention_ms)
  if order.claim then
    gather('HDEL', key.claims, order.claim)
    gather('SADD', spent_claims(0), order.claim)
    kept_ms[spent_claims(0)] = 2 * CLAIM_SPENT_MS
  end
  if order.once then
    redis.call('PEXPIRE', key.once(order.once), retention_ms)
  end
  local json = append_event(id, fields.status == 'ready' and 'finished' or 'cancelled', order)
  ring_bell(id, json)
  return json
end

-- Makes an order cancelled, from whatever state the caller has checked. Returns it as JSON.
local function cancel_order(id, order, reason, retention_ms)
  return close_order(id, order, { status = 'cancelled', reason = reason }, retention_ms)
end

-- Tells the baristas held on an empty queue, on every replica, that `count` orders can be started.
local function wake_baristas(queue, count)
  redis.call('PUBLISH', key.wake, count .. ' ' .. queue)
end

-- Puts a brewing order back to its place in the queue, and tells a waiting barista. Returns it as JSON.
local function release_order(id, order, request)
  if order.claim then
    redis.call('HDEL', key.claims, order.claim)
  end
  redis.call('HDEL', key.order(id), 'barista', 'started_at', 'claim')
  order.barista, order.started_at, order.claim = nil, nil, nil
  write_order(id, order, { status = 'queued', released_by = request or '' })
  redis.call('ZREM', key.leases(order.queue), id)
  redis.call('ZADD', key.waiting(order.queue), order.place, id)
  wake_baristas(order.queue, 1)
  return append_event(id, 'released', order)
end

-- Whether `barista` ('' is whoever holds it) may act on this brewing order.
local function holds(order, barista)
  return order.status == 'brewing' and (barista == '' or barista == order.barista)
end

-- The refusal of a verb that the order's state does not allow; nil is no order.
local function refuse(order)
  if not order then
    return { 'unknown' }
  end
  return { 'conflict', order.status, order.barista or '' }
end

-- The median of the queue's recent waits from placed to ready, in ms; nil without history.
local function median_wait_ms(queue)
  local waits = redis.call('LRANGE', key.waits(queue), 0, WAITS_KEPT - 1)
  if #waits == 0 then
    return nil
  end
  for i, wait in ipairs(waits) do
    waits[i] = tonumber(wait)
  end
  table.sort(waits)
  return waits[math.ceil(#waits / 2)]
end

-- An order as it is now, as JSON: while it is queued, with its position and, once there is history, its expected wait.
local function describe_order(id, order)
  if order.status ~= 'queued' then
    return encode_order(order)
  end
  local more = ',"position":' .. redis.call('ZRANK', key.waiting(order.queue), id) + 1
  local median_ms = median_wait_ms(order.queue)
  if median_ms then
    local eta_seconds = math.max(0, math.ceil((median_ms - (now_ms - placed_ms(id))) / 1000))
    more = more .. ',"eta_seconds":' .. string.format('%.0f', eta_seconds)
  end
  return encode_order(order, more)
end
