-- Stands after the prelude, before the scripts that let orders in: the shop's settings, its menu, its code, and the door.
-- KEYS[1]  the shop's prefix, as everywhere
-- ARGV     is each script's own

-- Settings are kept as JSON literals; what was never changed is not kept.
local SETTINGS = {
  { 'open', 'true' },
  { 'capacity', 'null' },
  { 'require_code', 'false' },
  { 'drinks_per_code', '10' },
  { 'code_period_seconds', '300' },
  { 'max_open_per_customer', 'null' },
  { 'customer_timeout_seconds', '900' },
}

local kept_settings
local function setting(name)
  kept_settings = kept_settings or read_hash(key.settings) or {}
  if kept_settings[name] then
    return kept_settings[name]
  end
  for _, default in ipairs(SETTINGS) do
    if default[1] == name then
      return default[2]
    end
  end
end

-- All settings as a JSON object.
local function encode_settings()
  local members = {}
  for i, default in ipairs(SETTINGS) do
    members[i] = '"' .. default[1] .. '":' .. setting(default[1])
  end
  return '{' .. table.concat(members, ',') .. '}'
end

-- How many orders are reserved, queued or brewing.
local function count_open()
  local open = redis.call('ZCARD', key.reserved)
  for _, queue in ipairs(redis.call('SMEMBERS', key.queues)) do
    open = open + redis.call('ZCARD', key.waiting(queue)) + redis.call('ZCARD', key.leases(queue))
  end
  return open
end

-- Open orders as this run has made them; nil until the door needs to know.
local open_now
local refusals = {}

-- Drops some of what a customer's open orders name that is open no more: a record may be gone.
local OPEN = { reserved = true, queued = true, brewing = true }
local function drop_closed(customer_id)
  for _, id in ipairs(redis.call('SRANDMEMBER', key.open_of(customer_id), 100)) do
    if not OPEN[try('HGET', key.order(id), 'status')] then
      redis.call('SREM', key.open_of(customer_id), id)
    end
  end
end

-- Why nobody, or not this customer, is let in now; nil where they are. `refuse_at_door` counts it.
local function why_refused(customer_id)
  if setting('open') ~= 'true' then
    return 'closed'
  end
  local capacity = tonumber(setting('capacity'))
  if capacity then
    open_now = open_now or count_open()
    if open_now >= capacity then
      return 'full'
    end
  end
  local most = customer_id ~= '' and tonumber(setting('max_open_per_customer'))
  if most and redis.call('SCARD', key.open_of(customer_id)) >= most then
    drop_closed(customer_id)
    return redis.call('SCARD', key.open_of(customer_id)) >= most and 'too_many_open' or nil
  end
end

local function refuse_at_door(customer_id)
  local reason = why_refused(customer_id)
  if not reason then
    return nil
  end
  refusals[reason] = (refusals[reason] or 0) + 1
  return { 'refused', reason, '' }
end

-- One event a run and reason: a crowd before a closed door must not push all other events out of the stream.
local function append_refusals()
  for reason, count in pairs(refusals) do
    append_to_events('shop.refused', '', '{"reason":"' .. reason .. '","count":' .. count .. '}')
  end
end

local function write_let_in(id, order, retention_ms, write, ...)
  redis.call('SADD', key.open_of(order.customer_id), id)
  index_for_customer(id, order.customer_id, retention_ms)
  return write(id, order, ...)
end

-- Writes an order that is let in, by `write`, into its customer's indexes first: they may hold a value of another type. Where
-- that fails, or `write` refuses, all is taken back: nothing is half-written. Returns the refusal.
-- (`write` fails before it writes: its own keys are checked before.)
local function let_in(id, order, ...)
  local ok, refusal = true
  if order.customer_id then
    ok, refusal = pcall(write_let_in, id, order, ...)
  else
    local _, write = ...
    refusal = write(id, order, select(3, ...))
  end
  if not ok or refusal then
    if order.customer_id then
      try('SREM', key.open_of(order.customer_id), id)
      try('ZREM', key.orders_of(order.customer_id), id)
    end
    return ok and refusal or error(refusal)
  end
  if open_now then
    open_now = open_now + 1
  end
end

-- What was made under this Idempotency-Key before ('' is none): {what, its id}, or {'mismatch'} where the body was another.
-- Nil where nothing was, or its order is forgotten.
local function find_once(id, idempotency_key, body_hash)
  if idempotency_key == '' then
    return nil
  end
  local first_id, first_hash = string.match(redis.call('GET', key.once(idempotency_key)) or '', '^(%S+) (%S+)$')
  if not first_id or redis.call('EXISTS', key.order(first_id)) == 0 then
    return nil
  end
  if first_id == id then
    return { 'placed', id }
  end
  return first_hash == body_hash and { 'joined', first_id } or { 'mismatch' }
end

local function keep_once(id, idempotency_key, body_hash, retention_ms)
  if idempotency_key ~= '' then
    redis.call('SET', key.once(idempotency_key), id .. ' ' .. body_hash, 'PX', retention_ms)
  end
end

-- What a shop offers whose menu was never changed: that is kept nowhere else. By id, each as JSON.
local MILK = '[{"name":"milk","options":["whole","skimmed","oat","soy"]}]'
local function first_coffee(name, price, description, modifiers, icon)
  return '{"name":"' .. name .. '","description":"' .. description .. '","price":' .. price .. ',"available":true,"modifiers":'
    .. modifiers .. ',"icon":"' .. icon .. '"}'
end
local function first_menu()
  return {
    americano = first_coffee('Americano', 300, 'Espresso with hot water', '[]', '☕'),
    espresso = first_coffee('Espresso', 250, 'Short and strong', '[]', '⚡'),
    double_espresso = first_coffee('Double espresso', 320, 'Twice as awake', '[]', '⚡'),
    flat_white = first_coffee('Flat white', 380, 'Two shots, silky milk', MILK, '☕'),
    cappuccino = first_coffee('Cappuccino', 370, 'One third foam', MILK, '☕'),
    latte = first_coffee('Latte', 400, 'Much milk, gentle coffee', MILK, '☕'),
    mocha = first_coffee('Mocha', 450, 'Coffee meets chocolate', MILK, '☕'),
  }
end

-- Whether the menu is kept in Redis: one that staff have emptied is, though there is no key.
local function has_menu()
  return setting('has_menu') == 'true'
end

-- To be called before the menu is changed.
local function keep_menu()
  if has_menu() then
    return
  end
  for id, json in pairs(first_menu()) do
    redis.call('HSET', key.menu, id, json)
  end
  redis.call('HSET', key.settings, 'has_menu', 'true')
end

local coffees = {}
local function find_coffee(item)
  if coffees[item] == nil then
    local json = has_menu() and redis.call('HGET', key.menu, item) or not has_menu() and first_menu()[item]
    coffees[item] = json and cjson.decode(json) or false
  end
  return coffees[item]
end

local function find_modifier(coffee, name)
  for _, modifier in ipairs(coffee.modifiers) do
    if modifier.name == name then
      return modifier
    end
  end
end

local function has_option(modifier, wanted)
  for _, option in ipairs(modifier.options) do
    if option == wanted then
      return true
    end
  end
end

-- What is wrong with a choice: {'refused', why, its subject}; nil and the price where nothing is. `modifiers` is JSON, or ''.
local function check_choice(item, modifiers)
  local coffee = find_coffee(item)
  if not coffee then
    return { 'refused', 'unknown_item', item }
  end
  if not coffee.available then
    return { 'refused', 'unavailable_item', item }
  end
  for name, option in pairs(modifiers ~= '' and cjson.decode(modifiers) or {}) do
    local modifier = find_modifier(coffee, name)
    if not modifier then
      return { 'refused', 'unknown_modifier', name }
    end
    if not has_option(modifier, option) then
      return { 'refused', 'unknown_option', name }
    end
  end
  return nil, string.format('%.0f', coffee.price)
end

-- Takes one drink of the code; {'refused', why, ''} where it can't be.
local function spend_code(code)
  local current, remaining, ends_at = unpack(redis.call('HMGET', key.code, 'code', 'remaining', 'ends_at'))
  if code ~= current or now_ms >= (tonumber(ends_at) or 0) then
    return { 'refused', 'code_wrong', '' }
  end
  if tonumber(remaining) <= 0 then
    return { 'refused', 'code_used_up', '' }
  end
  redis.call('HINCRBY', key.code, 'remaining', -1)
end

local first_number, number

-- Reads the last number of the day, once for all of a run; `keep_number` writes it.
local function read_number()
  if not number then
    local last = redis.call('GET', key.numbers(date)) or '0'
    if not string.find(last, '^%d+$') then
      error('WRONGTYPE numbers: the day\'s last number is none')
    end
    first_number = tonumber(last)
    number = first_number
  end
end

local function keep_number()
  if number and number > first_number and redis.call('INCRBY', key.numbers(date), number - first_number) == number - first_number then
    redis.call('PEXPIRE', key.numbers(date), 2 * DAY_MS)
  end
end

local queued = {}
-- The queues of this run that can take an order.
local has_place = {}

-- To be called before an order is let into a queue, or a code is spent for it: fails where a key that this writes at the end of the
-- run, or after others, holds a value of another type.
local function check_queue(queue)
  if has_place[queue] then
    return
  end
  redis.call('ZCARD', key.waiting(queue))
  redis.call('ZCARD', key.orders)
  redis.call('XLEN', key.queue(queue))
  read_number()
  has_place[queue] = true
end

-- The members of a JSON object, to stand before others; '' where it is none.
local function members_of(json)
  return json and json ~= '{}' and string.sub(json, 2, -2) .. ',' or ''
end

-- Puts an order into its queue, under the day's next number. `order` has what is known of it beside what it is for: `item`, its
-- `price` and `details` (a JSON object).
local function enqueue_order(id, order, queue, item, price, details)
  check_queue(queue)
  order.queue = queue
  order.entry = redis.call('XADD', key.queue(queue), '*', 'order_id', id)
  number = number + 1
  order.told = '"number":' .. string.format('%.0f', number) .. ',"item":"' .. item .. '","price":' .. price .. ','
    .. members_of(details) .. '"placed_at":"' .. now .. '"'
  order.status = 'queued'
  order.attempts = '0'
  -- Numbers start anew each day; the place in the queue does not.
  order.place = string.format('%.0f', today * 1000000000 + number)
  write_order(id, order, order)
  gather('ZADD', key.orders, now_text, id)
  gather('ZADD', key.waiting(queue), order.place, id)
  queued[queue] = (queued[queue] or 0) + 1
  return append_event(id, 'placed', order)
end

-- What is done once a run, at its end.
local function close_door()
  keep_number()
  append_refusals()
  for queue, count in pairs(queued) do
    try('SADD', key.queues, queue)
    wake_baristas(queue, count)
  end
end
