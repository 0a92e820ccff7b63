-- stats
-- Owns what is counted of events, and how it is kept: a hash an hour (UTC), with a field a drink and a field a barista.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua
--
-- Invariants
-- - A field is `drink:<item>` or `barista:<JSON string>`. Without a name it is all others, and orders that are gone.
-- - Its value is what was counted, as `placed=3 revenue=700 w57=2`: w and b with a bucket are waits and brews.
-- - Everything is counted of a drink: they add up to the whole. What a barista did is counted of them, too.
-- - An hour has at most MAX_NAMES drinks, and as many baristas; `drinks` and `baristas` say how many.
-- - Every key is checked before the first is changed.

local count_entries, write_counts
do

local HOUR_MS = 3600000
local MAX_NAMES = 50
local MAX_TIME_MS = 400 * DAY_MS
local MAX_ORDERS_PER_READ = 1000
local find, match, sub = string.find, string.match, string.sub

-- By hour, since 1970: what is to be added of each drink and each barista.
local hours = {}
-- Of each order of this run: its item, '' where it is gone or damaged, false where it is none of the counter's or
-- nothing was chosen; its price; since when it waits, as text; whether it is one that is paid for.
local items, prices, sinces, paid = {}, {}, {}, {}

local function counts_of(names, name)
  local counts = names[name]
  if not counts then
    counts = {}
    names[name] = counts
  end
  return counts
end

local function add(counts, what, count)
  counts[what] = (counts[what] or 0) + count
end

-- A time as orders show it, ms since 1970; false where it is none. (Those of one run are the same.)
local times = setmetatable({}, {
  __index = function(known, text)
    known[text] = read_time(text) or false
    return known[text]
  end,
})
local TIME_LENGTH = #'2000-01-01T00:00:00.000Z'

-- The names of the buckets of times by ms: 0 of no time, n of what is more than growth ^ (n - 2) ms, and at most
-- growth ^ (n - 1).
local function name_buckets(letter, growth)
  local growth_log = math.log(growth)
  return setmetatable({}, {
    __index = function(known, ms)
      known[ms] = letter .. (ms <= 0 and 0 or 1 + math.ceil(math.log(math.min(ms, MAX_TIME_MS)) / growth_log))
      return known[ms]
    end,
  })
end
local waits, brews

local function add_time(drink, barista, buckets, from_ms, to_ms)
  if from_ms and to_ms then
    local what = buckets[to_ms - from_ms]
    drink[what] = (drink[what] or 0) + 1
    barista[what] = (barista[what] or 0) + 1
  end
end

-- Who has started an order, as JSON, and when; nil where the event does not say. Third: where the text goes on.
local BARISTA, STARTED = '"barista":', ',"started_at":"'
local function find_start(text, from)
  local at = find(text, BARISTA, from, true)
  local to = at and find(text, STARTED, at, true)
  if to then
    local time_at = to + #STARTED
    return sub(text, at + #BARISTA, to - 1), sub(text, time_at, time_at + TIME_LENGTH - 1), time_at + TIME_LENGTH
  end
end

local function count_placed(_, drink)
  add(drink, 'placed', 1)
end

local function count_taken(_, drink, _, text, from)
  add(drink, 'captured', tonumber(match(text, '"payment":.-"amount":(%d+)', from) or 0))
end

local FIRST_START, FINISHED = '"status":"brewing","attempts":1,', '","finished_at":"'

-- What each type of event adds to an hour and to what is counted there of its drink. The members of the event begin at
-- `from` in `text`.
local COUNT = {
  ['order.placed'] = count_placed,
  ['order.unpaid'] = count_placed,

  -- (One that was paid has come before, unpaid.)
  ['order.scheduled'] = function(hour, drink, id)
    if not paid[id] then
      count_placed(hour, drink)
    end
  end,

  ['order.started'] = function(hour, drink, id, text, from)
    local since = sinces[id]
    if since and sub(text, from, from + #FIRST_START - 1) == FIRST_START then
      local barista, started_at = find_start(text, from)
      if barista then
        add_time(drink, counts_of(hour.baristas, barista), waits, times[since], times[started_at])
      end
    end
  end,

  ['order.finished'] = function(hour, drink, id, text, from)
    local price = prices[id] or 0
    drink.completed, drink.revenue = (drink.completed or 0) + 1, (drink.revenue or 0) + price
    local name, started_at, at = find_start(text, from)
    if name then
      local barista, finished_at = counts_of(hour.baristas, name), at + #FINISHED
      barista.completed, barista.revenue = (barista.completed or 0) + 1, (barista.revenue or 0) + price
      add_time(drink, barista, brews, times[started_at], times[sub(text, finished_at, finished_at + TIME_LENGTH - 1)])
    end
  end,

  ['order.cancelled'] = function(hour, drink, _, text, from)
    local reason = match(text, '^"status":"cancelled","reason":"([%l_]+)"', from)
    if reason then
      local barista = find_start(text, from)
      add(drink, 'cancelled.' .. reason, 1)
      if barista then
        add(counts_of(hour.baristas, barista), 'cancelled.' .. reason, 1)
      end
    end
  end,

  ['payment.captured'] = count_taken,
  ['payment.taken'] = count_taken,

  -- (What was held alone, and is free again, is no money given back.)
  ['payment.refunded'] = function(_, drink, _, text, from)
    local payment = match(text, '"payment":(.*)$', from) or ''
    local amount = find(payment, '"captured_at":"', 1, true) and match(payment, '"refunded_amount":(%d+)')
    add(drink, 'refunded', tonumber(amount or 0))
  end,
}

-- (What is seldom there is looked for by an underscore, which is seldom, too.)
local function note_order(id, record)
  local at = record and find(record, '\n"number":', 1, true)
  local item, price
  if at then
    item, price = match(record, '^\n"number":%d+,"item":"([^"\\]+)","price":(%d+),', at)
  end
  if item then
    local later = find(record, '_before":"', at, true) and match(record, '"not_before":"([^"]*)"', at)
    items[id], prices[id], sinces[id] = item, tonumber(price), later or sub(record, -1 - TIME_LENGTH, -2)
    paid[id] = find(record, '_kind":"', at, true) and find(record, '"payment_kind":"', at, true) ~= nil
  else
    local is_other = record and (not at or find(record, '^\n"number":%d+,"queue":', at))
    items[id] = not is_other and ''
  end
end

local function note_orders(ids)
  for first = 1, #ids, MAX_ORDERS_PER_READ do
    local names = {}
    for i = first, math.min(first + MAX_ORDERS_PER_READ - 1, #ids) do
      names[#names + 1] = key.order(ids[i])
    end
    for i, record in ipairs(redis.call('MGET', unpack(names))) do
      note_order(ids[first + i - 1], record)
    end
  end
end

local function hour_at(ms)
  local since_1970 = math.floor(ms / HOUR_MS)
  local hour = hours[since_1970]
  if not hour then
    hour = { drinks = {}, baristas = {} }
    hours[since_1970] = hour
  end
  return hour
end

-- What is counted of entries: five values each: what counts it, its hour, the order's id, text, where members begin.
-- Second: the orders that it is of, which were not met before.
local function gather_events(entries)
  local gathered, ids, n = {}, {}, 0
  for _, entry in ipairs(entries) do
    local hour, fields = hour_at(tonumber(match(entry[1], '^%d+'))), entry[2]
    for i = 1, #fields, 2 do
      local count, text = COUNT[fields[i]], fields[i + 1]
      local tab = count and find(text, '\t', 1, true)
      if tab then
        local id = sub(text, 1, tab - 1)
        gathered[n + 1], gathered[n + 2], gathered[n + 3], gathered[n + 4], gathered[n + 5] = count, hour, id, text, tab + 1
        n = n + 5
        if items[id] == nil then
          items[id] = false
          ids[#ids + 1] = id
        end
      end
    end
  end
  return gathered, ids
end

function count_entries(entries, growth)
  waits, brews = waits or name_buckets('w', growth), brews or name_buckets('b', growth)
  local gathered, ids = gather_events(entries)
  note_orders(ids)
  for i = 1, #gathered, 5 do
    local hour, id = gathered[i + 1], gathered[i + 2]
    local item = items[id]
    if item then
      gathered[i](hour, counts_of(hour.drinks, item), id, gathered[i + 3], gathered[i + 4])
    end
  end
end

-- Adds what is kept in a field to what was counted, and keeps that.
local function keep(name, field, text, counts)
  for what, count in string.gmatch(text or '', '(%S+)=(%d+)') do
    counts[what] = (counts[what] or 0) + count
  end
  local parts = {}
  for what, count in pairs(counts) do
    parts[#parts + 1] = what .. '=' .. string.format('%.0f', count)
  end
  redis.call('HSET', name, field, table.concat(parts, ' '))
end

local function write_names(name, kind, names)
  local known = tonumber(redis.call('HGET', name, kind .. 's') or 0)
  local before, others = known, names['']
  names[''] = nil
  for each, counts in pairs(names) do
    local field = kind .. ':' .. each
    local text = redis.call('HGET', name, field)
    if text or known < MAX_NAMES then
      known = known + (text and 0 or 1)
      keep(name, field, text, counts)
    else
      others = others or {}
      for what, count in pairs(counts) do
        others[what] = (others[what] or 0) + count
      end
    end
  end
  if others then
    keep(name, kind .. ':', redis.call('HGET', name, kind .. ':'), others)
  end
  if known ~= before then
    redis.call('HSET', name, kind .. 's', known)
  end
end

local function name_of(since_1970)
  return key.stats(string.sub(time_text(since_1970 * HOUR_MS), 1, #'2000-01-01T00'))
end

-- Writes what was counted; an hour goes so many ms after its end.
function write_counts(kept_ms)
  for since_1970 in pairs(hours) do
    redis.call('HLEN', name_of(since_1970))
  end
  for since_1970, hour in pairs(hours) do
    local name = name_of(since_1970)
    write_names(name, 'drink', hour.drinks)
    write_names(name, 'barista', hour.baristas)
    local left_ms = (since_1970 + 1) * HOUR_MS + kept_ms - now_ms
    redis.call('PEXPIRE', name, string.format('%.0f', left_ms))
  end
end

end
