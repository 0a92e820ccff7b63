-- take-events
-- Takes events for a durable reader, for the one replica that has its lease or gets it now: those in hand, of any
-- replica, or else new ones. Taken again after a reply that was lost they are the same.
-- Needs lib/keys.lua lib/try.lua lib/format.lua lib/groups.lua lib/event-numbers.lua lib/readers.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the reader's name
-- ARGV[2]  the replica
-- ARGV[3]  its lease, ms
-- ARGV[4]  id of the last entry that it has handled; '' where there is none to settle
-- ARGV[5]  id of the last event that it knows to be settled; '' where it knows of none
-- ARGV[6]  where a new reader begins: 'start' or 'end' of what is kept
-- ARGV[7]  most entries
-- Returns  {'held', id of the last event that is settled}: another replica has the lease
--          | {'taken', that id, id of the newest entry that was given out, {id, {field, value …}} …}
--          | {'remade', the same …}: the reader's group was gone, and has been made again

local known, from, most = ARGV[5], ARGV[6], ARGV[7]

local settled = redis.call('HGET', key.readers, name) or known ~= '' and known or nil

-- Where a group begins that has to be made, and which event counts as settled: events are numbered without gaps.
local function find_start()
  local first = redis.call('XRANGE', key.events, '-', '+', 'COUNT', 1)[1]
  local last = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
  local count = newest_number()
  if settled and number_of(settled) <= count then
    return settled, settled
  end
  if settled then
    -- The shop was emptied: its events are numbered anew.
    return '0-0', '0-0'
  end
  if last and from == 'end' then
    return last[1], last[1]
  end
  return '0-0', string.format('0-%.0f', first and number_before(first) or count)
end

local function make_group()
  local outcome, start = settled and 'remade' or 'taken', nil
  start, settled = find_start()
  redis.call('XGROUP', 'CREATE', key.events, name, start, 'MKSTREAM')
  redis.call('HSET', key.readers, name, settled)
  return outcome
end

-- All that is in hand comes before anything new. (What is no longer kept is dropped from it.)
local function take()
  local cursor, entries = '0-0', nil
  repeat
    local claimed = redis.call('XAUTOCLAIM', key.events, name, CONSUMER, 0, cursor, 'COUNT', most)
    cursor, entries = claimed[1], claimed[2]
  until #entries > 0 or cursor == '0-0'
  return #entries > 0 and entries or read_group(key.events, name, CONSUMER, '>', most)
end

if holder and holder ~= replica then
  return { 'held', settled or '' }
end
settle()
settled = redis.call('HGET', key.readers, name) or settled
redis.call('SET', key.reader(name), replica, 'PX', lease_ms)
local outcome = 'taken'
if not last_given(key.events, name) then
  outcome = make_group()
end
local entries = take()
local newest = last_given(key.events, name)
return { outcome, settled or newest, newest, unpack(entries) }
