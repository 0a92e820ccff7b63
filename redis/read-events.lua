-- read-events
-- Reads a page of the events after an id: of one order or of everything, of some types or of all. An event holds the
-- members that changed; those of its order that never change are added here.
-- Needs lib/keys.lua lib/try.lua lib/order.lua lib/queries.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  id to read after; '' reads nothing, and only finds the newest
-- ARGV[2]  most entries to look at
-- ARGV[3]  order id ('' for everything)
-- ARGV[4]  types, separated by commas ('' for all)
-- ARGV[5]  queue of the orders ('' for all): the shop's own events belong to each
-- Returns  lines, fields separated by tabs: id of the newest event ('0-0' where there is none), id that was
--          read up to, 1 where events after ARGV[1] are no longer kept, else 0; then per event that fits its id, type,
--          order id, data as JSON

local after, max_entries = ARGV[1], tonumber(ARGV[2])
local wanted_order, wanted_types, wanted_queue = ARGV[3], ARGV[4] ~= '' and ',' .. ARGV[4] .. ',', ARGV[5]

local function numbers_of(id)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number), ms
end

-- Whether events between the id and the first that is left are gone. Events are numbered without gaps.
local function is_missing_before(entry)
  local after_ms, after_number = numbers_of(after)
  local ms, last = numbers_of(entry[1])
  local first = last - #entry[2] / 2 + 1
  return first > 1 and after_number ~= first - 1 and (after_ms < ms or after_ms == ms and after_number < first)
end

local function fits(type, order_id)
  return (wanted_order == '' or order_id == wanted_order)
    and (not wanted_types or string.find(wanted_types, ',' .. type .. ',', 1, true) ~= nil)
end

-- Whether an event is of the wanted queue. An order that is no longer kept is taken for one of the counter.
local function is_of_queue(order_id, order)
  if wanted_queue == '' or order_id == '' then
    return true
  end
  return (order and order.input ~= '' and order.queue or COUNTER) == wanted_queue
end

local newest = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
if not newest then
  -- The stream is lost, or nothing was ever kept: the count says what there was.
  local _, number = numbers_of(after)
  local is_missing = number and number < (tonumber(try('GET', key.event_count) or nil) or 0)
  return '0-0\t' .. after .. '\t' .. (is_missing and '1' or '0')
end
if after == '' then
  return newest[1] .. '\t' .. newest[1] .. '\t0'
end

local first_entry = redis.call('XRANGE', key.events, '-', '+', 'COUNT', 1)[1]
local entries = redis.call('XRANGE', key.events, '(' .. after, '+', 'COUNT', max_entries)
local _, after_number = numbers_of(after)
local after_ms = numbers_of(after)
local found, ids = {}, {}
for _, entry in ipairs(entries) do
  local ms, last, ms_text = numbers_of(entry[1])
  local fields = entry[2]
  for i = 1, #fields, 2 do
    local number = last - (#fields - i - 1) / 2
    local order_id, members = string.match(fields[i + 1], '^([^\t]*)\t(.*)$')
    if not (ms == after_ms and number <= after_number) and fits(fields[i], order_id) then
      found[#found + 1] = { string.format('%s-%.0f', ms_text, number), fields[i], order_id, members }
      ids[#ids + 1] = order_id ~= '' and order_id or nil
    end
  end
end
local orders = read_orders(ids)
local missing = is_missing_before(first_entry) and '1' or '0'
local lines = { newest[1] .. '\t' .. (#entries > 0 and entries[#entries][1] or after) .. '\t' .. missing }
for _, event in ipairs(found) do
  local order = orders[event[3]]
  if is_of_queue(event[3], order) then
    event[4] = '{' .. (order and order.fixed .. ',' or '') .. event[4] .. '}'
    lines[#lines + 1] = table.concat(event, '\t')
  end
end
return table.concat(lines, '\n')
