-- measure-states
-- Counts the open orders of a queue by state, and what happened to its orders a moment ago, by type of event.
-- Needs lib/keys.lua lib/clock.lua lib/measures.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  how far to look back at most, ms
-- ARGV[3]  about how many events to look at, at most
-- Returns  {{reserved, unpaid, scheduled, queued, brewing}, how far it looked back in ms, {type, count …},
--          {queues of machines that are declared …}}

local queue, span_ms, max_events = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- In a rush an entry has hundreds of events: few are read at once, so that not many more than enough are.
local ENTRIES_A_READ, QUEUES_SHOWN = 5, 100

local machine_queues = {}
for _, name in ipairs(try('SMEMBERS', key.queues) or {}) do
  if name ~= COUNTER then
    machine_queues[#machine_queues + 1] = name
  end
end
local index = queue == COUNTER and key.orders or key.calls(queue)
-- Whether the orders are of the queue, by id. Where there is but the counter, all are.
local is_ours = {}

local function is_of_queue(id)
  if is_ours[id] == nil then
    is_ours[id] = #machine_queues == 0 and queue == COUNTER or (try('ZSCORE', index, id) or false) ~= false
  end
  return is_ours[id]
end

local counts, looked_at, oldest_ms = {}, 0, now_ms

local function count_entry(fields)
  for at = 1, #fields, 2 do
    local type, id = fields[at], string.match(fields[at + 1], '^([^\t]*)\t')
    if id ~= '' and string.find(type, '^order%.') and is_of_queue(id) then
      counts[type] = (counts[type] or 0) + 1
    end
  end
  looked_at = looked_at + #fields / 2
end

local before = '+'
while before and looked_at < max_events do
  local entries = try('XREVRANGE', key.events, before, string.format('%.0f', now_ms - span_ms), 'COUNT', ENTRIES_A_READ) or {}
  for _, entry in ipairs(entries) do
    count_entry(entry[2])
    oldest_ms = tonumber(string.match(entry[1], '^%d+'))
  end
  before = #entries == ENTRIES_A_READ and '(' .. entries[#entries][1] or nil
end

local types = {}
for type, count_of_type in pairs(counts) do
  types[#types + 1], types[#types + 2] = type, count_of_type
end
table.sort(machine_queues)
return {
  {
    queue == COUNTER and count(key.reserved) or 0, count(key.unpaid(queue)), count(key.scheduled(queue)), depth_of(queue),
    count(key.leases(queue)),
  },
  before and math.max(now_ms - oldest_ms, 1) or span_ms,
  types,
  { unpack(machine_queues, 1, QUEUES_SHOWN) },
}
