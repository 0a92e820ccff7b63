-- event-numbers
-- Owns how far events are numbered: without gaps, and an entry's id ends with the number of its last event.
-- Needs lib/keys.lua lib/try.lua

local function number_of(id)
  return tonumber(string.match(id, '-(%d+)$'))
end

-- The number before an entry's first event.
local function number_before(entry)
  return number_of(entry[1]) - #entry[2] / 2
end

-- The number of the newest event, also where the stream or the count of events is lost; 0 where there was none.
local function newest_number()
  local newest = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
  return math.max(newest and number_of(newest[1]) or 0, tonumber(try('GET', key.event_count) or nil) or 0)
end
