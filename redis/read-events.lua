-- read-events
-- Reads a page of the events after an id: of one order or of everything, of some types or of all.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  id to read after; '' reads nothing, and only tells the newest
-- ARGV[2]  most events to look at
-- ARGV[3]  order id ('' for everything)
-- ARGV[4]  types, separated by commas ('' for all)
-- Returns  {id of the newest event ('0-0' where there is none), id that was read up to,
--          1 where events after ARGV[1] may be no longer kept, else 0,
--          then per event that fits {id, type, order id, data}}

local after, most = ARGV[1], tonumber(ARGV[2])
local wanted_order, wanted_types = ARGV[3], ARGV[4] ~= '' and ',' .. ARGV[4] .. ','

local function numbers_of(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function is_before(id, other)
  local ms, sequence = numbers_of(id)
  local other_ms, other_sequence = numbers_of(other)
  return ms < other_ms or (ms == other_ms and sequence < other_sequence)
end

-- Whether anything was ever cut off: then nobody knows what stood before the first that is left.
local function was_cut()
  local info = redis.call('XINFO', 'STREAM', key.events)
  local length, added
  for i = 1, #info, 2 do
    if info[i] == 'length' then
      length = info[i + 1]
    elseif info[i] == 'entries-added' then
      added = info[i + 1]
    end
  end
  return added > length
end

local function fits(type, order_id)
  return (wanted_order == '' or order_id == wanted_order)
    and (not wanted_types or string.find(wanted_types, ',' .. type .. ',', 1, true) ~= nil)
end

local newest = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
if not newest then
  return { '0-0', after, 0 }
end
if after == '' then
  return { newest[1], newest[1], 0 }
end

local first = redis.call('XRANGE', key.events, '-', '+', 'COUNT', 1)[1]
local is_missing = is_before(after, first[1]) and was_cut()

local entries = redis.call('XRANGE', key.events, '(' .. after, '+', 'COUNT', most)
local reply = { newest[1], #entries > 0 and entries[#entries][1] or after, is_missing and 1 or 0 }
for _, entry in ipairs(entries) do
  -- As append_to_events writes them: type, order id, data, each after its name. What is not of us is passed over.
  local fields = entry[2]
  if fields[1] == 'type' and fields[5] == 'data' and fits(fields[2], fields[4]) then
    reply[#reply + 1] = { entry[1], fields[2], fields[4], fields[6] }
  end
end
return reply
