-- Stands after the prelude in every script: how an order is read, written, closed, and shown as JSON, and what becomes of one whose
-- record is damaged.
-- KEYS, ARGV  as the prelude says

-- (What is only passed on is text: Redis would print each number that Lua gives it anew.)
local EVENTS_KEPT = '100000' -- about 40 MB
local WAITS_KEPT = 51        -- recent waits that the expected wait is the median of
local WAITS_MS = 86400000    -- an expected wait of yesterday is none
local CLAIM_SPENT_MS = 10000 -- outlives what is still on its way when an order is final
local BELL_MS = '120000'     -- outlives the longest block of a lane (30 s) and a reconnect
local DAMAGED_KEPT = 1000    -- orders set aside that the list names; the newest

-- What each state needs beside `told` and `attempts`: a field, and the pattern that its value fits.
local TIME = '^[%d:.TZ-]+$'
local IN_QUEUE = { 'queue', '^[%w_-]+$', 'entry', '^%d+%-%d+$', 'place', '^%d+$' }
local NEEDED = {
  reserved = { 'code', '.', 'details', '^{' },
  queued = IN_QUEUE,
  brewing = IN_QUEUE,
  ready = { 'finished_at', TIME, 'barista', '.' },
  cancelled = { 'finished_at', TIME, 'reason', '^[%l_]+$' },
}
-- A JSON object as a table; nil where it is none. (cjson refuses halves of characters, which JSON can hold.)
local function decode_object(json)
  local is_json, members = pcall(cjson.decode, (string.gsub(json, '\\u%x%x%x%x', '\\n')))
  return is_json and type(members) == 'table' and members or nil
end

local function is_told(told, status)
  local members = decode_object('{' .. told .. '}')
  if not members or type(members.placed_at) ~= 'string' then
    return false
  end
  local is_chosen = type(members.number) == 'number' and type(members.price) == 'number' and type(members.item) == 'string'
  return is_chosen or status == 'reserved' or status == 'cancelled'
end

-- The first field that is missing or does not fit; a quick look checks only what a script fails at.
local function find_misfit(order, is_thorough)
  local needed = NEEDED[order.status]
  for at = 1, #needed, 2 do
    local value = order[needed[at]]
    if not value or is_thorough and not string.find(value, needed[at + 1]) then
      return needed[at]
    end
  end
  if order.entry and not string.find(order.entry, '^%d+%-%d+$') then
    return 'entry'
  end
  if order.barista and not order.started_at or order.status == 'brewing' and not order.barista then
    return 'barista or started_at'
  end
  if order.expiries and not tonumber(order.expiries) then
    return 'expiries'
  end
end

-- What is wrong with the fields of an order; nil where nothing is. Reading all of `told` costs a parse: a quick look takes its end
-- for it.
local function find_fault(order, is_thorough)
  if not NEEDED[order.status] then
    return order.status and 'its status is unknown' or 'it has no status'
  end
  local told, attempts = order.told, order.attempts
  if not told or not string.find(told, 'Z"', -2, true) or is_thorough and not is_told(told, order.status) then
    return 'what it is for (told) is missing or garbled'
  end
  if attempts ~= '0' and attempts ~= '1' and not string.find(attempts or '', '^%d+$') then
    return 'attempts is missing or no number'
  end
  if order.details and not decode_object(order.details) then
    return 'details is garbled'
  end
  local misfit = find_misfit(order, is_thorough)
  return misfit and misfit .. ' is missing or garbled'
end

-- Reads an order, thoroughly where it is to be shown beside others: its fields; else nil and NONE, where there is none, or nil and what is wrong with its record.
local NONE = 'none'
local function read_order(id, is_thorough)
  local list = redis.pcall('HGETALL', key.order(id))
  if list.err then
    return nil, 'it is no hash'
  end
  if #list == 0 then
    return nil, NONE
  end
  local order = {}
  for i = 1, #list, 2 do
    order[list[i]] = list[i + 1]
  end
  local fault = find_fault(order, is_thorough)
  if fault then
    return nil, fault
  end
  return order
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

-- (An order does not fail because nobody can listen.)
local function append_to_events(type, order_id, json)
  try('XADD', key.events, 'MAXLEN', '~', EVENTS_KEPT, '*', 'type', type, 'order_id', order_id, 'data', json)
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

-- When an order was placed, ms since 1970; nil where the index does not know it.
local function placed_ms(id)
  return tonumber(try('ZSCORE', key.orders, id) or nil)
end

-- Rings the bell of a final order: the first pop has the order, as JSON. The second entry keeps it ringing for others who wait
-- on the same order; it is empty, so they look (answer-bells.lua), and ring it again. For a damaged order both are empty.
-- A bell that is no list holds nothing that anyone needs, and would keep a whole lane from listening: it is replaced.
local function ring_bell(id, json)
  local bell = key.bell(id)
  if not try('RPUSH', bell, json, '') then
    redis.call('DEL', bell)
    redis.call('RPUSH', bell, json, '')
  end
  redis.call('PEXPIRE', bell, BELL_MS)
end

-- Makes a bell ring that is silent.
local function keep_ringing(id, json)
  if redis.call('TYPE', key.bell(id)).ok ~= 'list' then
    ring_bell(id, json)
  end
end

-- Drops a bell that is no list, while its order is not final: no lane could listen beside it.
local function drop_false_bell(id)
  local type = redis.call('TYPE', key.bell(id)).ok
  if type ~= 'list' and type ~= 'none' then
    redis.call('DEL', key.bell(id))
  end
end

-- The queues that orders were put into; none where the list of them is damaged.
local function known_queues()
  return try('SMEMBERS', key.queues) or {}
end

-- Takes a damaged order off all that others would meet it in, into the list that staff can see, and has its customer look.
-- Its record stays as it is: put right, it goes back to its place (inspect-shop.lua). Its stream entry goes when it is met.
local function set_aside(id)
  if try('ZADD', key.damaged, 'NX', now_text, id) == 0 then
    return
  end
  try('ZREMRANGEBYRANK', key.damaged, 0, -1 - DAMAGED_KEPT)
  for _, queue in ipairs(known_queues()) do
    try('ZREM', key.waiting(queue), id)
    try('ZREM', key.leases(queue), id)
  end
  try('ZREM', key.reserved, id)
  local customer_id = try('HGET', key.order(id), 'customer_id')
  if customer_id then
    try('SREM', key.open_of(customer_id), id)
  end
  keep_ringing(id, '')
end

-- Drops an order from an index where it does not belong: its record is gone, damaged (then it is set aside), or elsewhere.
local function drop_from(index, id, fault)
  redis.call('ZREM', index, id)
  if fault and fault ~= NONE then
    set_aside(id)
  end
end

-- Drops an entry of a queue's stream that stands for no order of it any more.
local function drop_entry(queue, entry)
  redis.call('XACK', key.queue(queue), 'baristas', entry)
  redis.call('XDEL', key.queue(queue), entry)
end

-- Gives the drink of a reservation back to its code, while that is the current one.
local function restore_code(order)
  local code, ends_at = unpack(try('HMGET', key.code, 'code', 'ends_at') or {})
  if code == order.code and now_ms < (tonumber(ends_at) or 0) then
    try('HINCRBY', key.code, 'remaining', 1)
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
    try('SREM', key.open_of(order.customer_id), id)
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
  -- First what may fail.
  redis.call('ZADD', key.waiting(order.queue), order.place, id)
  try('ZREM', key.leases(order.queue), id)
  if order.claim then
    try('HDEL', key.claims, order.claim)
  end
  redis.call('HDEL', key.order(id), 'barista', 'started_at', 'claim')
  order.barista, order.started_at, order.claim = nil, nil, nil
  write_order(id, order, { status = 'queued', released_by = request or '' })
  wake_baristas(order.queue, 1)
  return append_event(id, 'released', order)
end

-- Whether `barista` ('' is whoever holds it) may act on this brewing order.
local function holds(order, barista)
  return order.status == 'brewing' and (barista == '' or barista == order.barista)
end

-- The refusal of a verb that the order's state does not allow; or, with what read_order says beside nil, that there is no such
-- order, or that its record is damaged.
local function refuse(id, order, fault)
  if not order then
    if fault == NONE then
      return { 'unknown' }
    end
    set_aside(id)
    return { 'damaged' }
  end
  return { 'conflict', order.status, order.barista or '' }
end

-- The median of the queue's recent waits from placed to ready, in ms; nil without history.
local function median_wait_ms(queue)
  local waits = try('LRANGE', key.waits(queue), 0, WAITS_KEPT - 1) or {}
  if #waits == 0 then
    return nil
  end
  for i, wait in ipairs(waits) do
    waits[i] = tonumber(wait) or 0
  end
  table.sort(waits)
  return waits[math.ceil(#waits / 2)]
end

-- An order as it is now, as JSON: while it is queued, with its position and, once there is history, its expected wait.
-- Either is left out where its key can't say.
local function describe_order(id, order)
  if order.status ~= 'queued' then
    return encode_order(order)
  end
  local rank = try('ZRANK', key.waiting(order.queue), id)
  local more = rank and ',"position":' .. rank + 1 or ''
  local median_ms = median_wait_ms(order.queue)
  local placed_at_ms = median_ms and placed_ms(id)
  if placed_at_ms then
    local eta_seconds = math.max(0, math.ceil((median_ms - (now_ms - placed_at_ms)) / 1000))
    more = more .. ',"eta_seconds":' .. string.format('%.0f', eta_seconds)
  end
  return encode_order(order, more)
end
