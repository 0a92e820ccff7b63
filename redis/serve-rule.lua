-- serve-rule
-- Serves a rule, for the one replica that has its lease or gets it now: notes what became of its deliveries, and takes
-- the next events of the types that it wants. What it does not want stays in Redis, and in no one's hand.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua lib/format.lua lib/groups.lua lib/event-numbers.lua
-- Needs lib/queries.lua lib/rules.lua lib/rule-notes.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the rule's name
-- ARGV[2]  the replica
-- ARGV[3]  its lease, ms; 0 hands it back
-- ARGV[4]  what its target is known by: a rule that ended stays so for the same target
-- ARGV[5]  'begin': it takes the lease, and what is in hand or to be tried again; 'go on'
-- ARGV[6]  id of the last event that it was given; '' where it was given none
-- ARGV[7]  number of this call: one that is sent again changes nothing again
-- ARGV[8]  most events to take
-- ARGV[9]  '1': events are wanted with what never changes of their orders
-- ARGV[10] how many types are wanted; 0: all
-- ARGV[11] how many texts one of which a wanted event has in its data; 0: it need have none
-- ARGV[…]  the types; one that ends with a star stands for all that begin so
-- ARGV[…]  the texts
-- ARGV[…]  what is to be noted: 'settled', entry | 'delivered', event | 'retried', event, ms until then, record
--          | 'dead', event, record | 'append', stream, event as JSON | 'state', field, value | 'ended', why
-- Returns  {'held'}: another replica has the lease | {'ended'}
--          | {'given', id of the last event that was given out, how many are no longer kept, 1 where there may be more,
--          {event, ms until it is due or -1 where staff want it now, record …}: those to be tried again,
--          {entry, event, type, order id, data …}, {type …}: all types that it came by}

local lease_ms, begins, known, most, is_whole =
  tonumber(ARGV[3]), ARGV[5] == 'begin', ARGV[6], tonumber(ARGV[8]), ARGV[9] == '1'
local lease = key.reader(group)

-- Redis serves no other call while it looks at them.
local MOST_LOOKED_AT, ENTRIES_A_READ = 2000, 20
local RECORD_END = '^' .. FORMAT .. '\n.*\n([^\n]+)$'
local SEEN_EVERY_MS = 3600000

local exact, starts, wants_all = {}, {}, ARGV[10] == '0'
for i = 12, FIRST_TEXT - 1 do
  local start = string.match(ARGV[i], '^(.*)%*$')
  if start then
    starts[#starts + 1] = start
  else
    exact[ARGV[i]] = true
  end
end

local function is_wanted(type)
  if wants_all or exact[type] then
    return true
  end
  for _, start in ipairs(starts) do
    if string.sub(type, 1, #start) == start then
      return true
    end
  end
  return false
end

local function is_ended()
  local ended = redis.call('HGET', state, 'ended')
  if ended and ended ~= target then
    redis.call('HDEL', state, 'ended', 'ended_why', 'ended_at')
  end
  return ended == target
end

-- Where the rule goes on: a new one with the next event.
local function find_position()
  local kept = redis.call('HGET', state, 'given') or nil
  local given = not begins and known or kept or known
  given = given ~= '' and given or kept
  local count = tonumber(try('GET', key.event_count) or nil) or 0
  if given and number_of(given) <= count then
    return given
  end
  if given and number_of(given) <= newest_number() then
    return given
  end
  -- The shop was emptied: its events are numbered anew.
  if given then
    return '0-0'
  end
  local last = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
  return last and last[1] or string.format('0-%.0f', newest_number())
end

local function ensure_group(position)
  if not last_given(key.events, group) then
    redis.call('XGROUP', 'CREATE', key.events, group, position, 'MKSTREAM')
  end
end

local function has_text(json)
  for i = FIRST_TEXT, FIRST_NOTE - 1 do
    if string.find(json, ARGV[i], 1, true) then
      return true
    end
  end
  return false
end

local seen_types, is_seen = {}, {}

-- Events as they are answered, but for their data: {entry, event, type, order id, members}
local events = {}

-- Drops the fields of events whose data has none of the texts. (To read an order as JSON costs more.)
local function keep_with_text(fields, wanted)
  local names = {}
  for n, i in ipairs(wanted) do
    names[n] = key.order(string.match(fields[i + 1], '^[^\t]*'))
  end
  local kept = {}
  for n, record in ipairs(redis.call('MGET', unpack(names))) do
    if record and has_text(record) or has_text(fields[wanted[n] + 1]) then
      kept[#kept + 1] = wanted[n]
    end
  end
  return kept
end

-- Adds the wanted events of an entry; returns whether there are any.
local function add_entry(entry, is_known)
  local fields, wanted = entry[2], {}
  for i = 1, #fields, 2 do
    local type = fields[i]
    if not is_seen[type] then
      is_seen[type] = true
      seen_types[#seen_types + 1] = type
    end
    if is_wanted(type) then
      wanted[#wanted + 1] = i
    end
  end
  if #wanted > 0 and FIRST_NOTE > FIRST_TEXT then
    wanted = keep_with_text(fields, wanted)
  end
  local ms, first, count = string.match(entry[1], '^%d+'), number_before(entry), #events
  for _, i in ipairs(wanted) do
    local event = string.format('%s-%.0f', ms, first + (i + 1) / 2)
    if not (is_known and redis.call('HEXISTS', key.deliveries(rule), event) == 1) then
      local order_id, members = string.match(fields[i + 1], '^([^\t]*)\t(.*)$')
      events[#events + 1] = { entry[1], event, fields[i], order_id, members }
    end
  end
  return #events > count
end

local lost = 0

-- What any replica had in hand. (What is no longer kept is dropped from it.)
local function take_in_hand()
  local cursor = '0-0'
  repeat
    local claimed = redis.call('XAUTOCLAIM', key.events, group, CONSUMER, 0, cursor, 'COUNT', 100)
    cursor = claimed[1]
    lost = lost + #(claimed[3] or {})
    for _, entry in ipairs(claimed[2]) do
      if not add_entry(entry, true) then
        redis.call('XACK', key.events, group, entry[1])
      end
    end
  until cursor == '0-0'
end

-- Takes new entries. Returns where it came to, and whether there may be more.
local function take_new(position)
  local looked_at, taken, entries = 0, {}, nil
  local given = position
  repeat
    entries = redis.call('XRANGE', key.events, '(' .. given, '+', 'COUNT', ENTRIES_A_READ)
    for _, entry in ipairs(entries) do
      if looked_at >= MOST_LOOKED_AT or #events >= most then
        break
      end
      lost = lost + math.max(0, number_before(entry) - number_of(given))
      given = entry[1]
      looked_at = looked_at + #entry[2] / 2
      if add_entry(entry, false) then
        taken[#taken + 1] = entry[1]
      end
    end
  until #entries < ENTRIES_A_READ or looked_at >= MOST_LOOKED_AT or #events >= most
  if #taken > 0 then
    local claim = { 'XCLAIM', key.events, group, CONSUMER, 0, unpack(taken) }
    table.insert(claim, 'FORCE')
    table.insert(claim, 'JUSTID')
    redis.call(unpack(claim))
  end
  if given ~= position then
    redis.call('XGROUP', 'SETID', key.events, group, given)
  end
  return given, looked_at >= MOST_LOOKED_AT
end

-- Records to be tried again: all, or those that staff want now.
local function take_retried()
  local retried = key.deliveries_retried(rule)
  local found = begins and redis.call('ZRANGE', retried, 0, -1, 'WITHSCORES')
    or redis.call('ZRANGEBYSCORE', retried, REPLAYED, REPLAYED, 'WITHSCORES', 'LIMIT', 0, 100)
  local replies = {}
  for i = 1, #found, 2 do
    local record = redis.call('HGET', key.deliveries(rule), found[i])
    if record then
      local at = #replies
      local due_in_ms = found[i + 1] == REPLAYED and -1 or math.floor(math.max(0, found[i + 1] - now_ms))
      replies[at + 1], replies[at + 2], replies[at + 3] = found[i], due_in_ms, record
    end
    if found[i + 1] == REPLAYED then
      redis.call('ZADD', retried, now_text, found[i])
    end
  end
  return replies
end

-- What never changes of orders, by id. (A record that looks whole at both ends need not be read line by line.)
local function read_fixed(ids)
  local fixed, others = {}, {}
  for first = 1, #ids, MAX_ORDERS_PER_READ do
    local names = {}
    for i = first, math.min(first + MAX_ORDERS_PER_READ - 1, #ids) do
      names[#names + 1] = key.order(ids[i])
    end
    for i, record in ipairs(redis.call('MGET', unpack(names))) do
      local id = ids[first + i - 1]
      local line = record and string.match(record, RECORD_END)
      if line and string.find(line, FIXED_START) and string.find(line, FIXED_END, -FIXED_END_LENGTH) then
        fixed[id] = line
      else
        others[#others + 1] = id
      end
    end
  end
  for id, order in pairs(read_orders(others)) do
    fixed[id] = order and order.fixed or nil
  end
  return fixed
end

local function encode_events()
  local ids, replies = {}, {}
  for _, event in ipairs(events) do
    ids[#ids + 1] = is_whole and event[4] ~= '' and event[4] or nil
  end
  local fixed_of = read_fixed(ids)
  for _, event in ipairs(events) do
    local at = #replies
    local fixed = fixed_of[event[4]]
    for i = 1, 4 do
      replies[at + i] = event[i]
    end
    replies[at + 5] = '{' .. (fixed and fixed .. (event[5] ~= '' and ',' or '') or '') .. event[5] .. '}'
  end
  return replies
end

-- Also of a rule that has ended: what no server has had for long is forgotten.
local function note_seen()
  local seen = try('ZSCORE', key.rules, rule)
  if not seen or now_ms - seen > SEEN_EVERY_MS then
    try('ZADD', key.rules, now_text, rule)
  end
end

local holder = redis.call('GET', lease) or nil
if holder ~= replica and (holder or not begins) then
  return { 'held' }
end
note_all()
if lease_ms == 0 then
  redis.call('DEL', lease)
  return { 'held' }
end
note_seen()
if is_ended() then
  redis.call('DEL', lease)
  return { 'ended' }
end
redis.call('SET', lease, replica, 'PX', lease_ms)
local position, may_be_more = find_position(), false
if begins then
  ensure_group(position)
  take_in_hand()
elseif most > 0 then
  ensure_group(position)
end
local given = position
if most > 0 and not begins then
  given, may_be_more = take_new(position)
end
if given ~= redis.call('HGET', state, 'given') then
  redis.call('HSET', state, 'given', given)
end
if lost > 0 then
  redis.call('HINCRBY', state, 'lost', lost)
end
return { 'given', given, lost, may_be_more and 1 or 0, take_retried(), encode_events(), seen_types }
