-- events
-- Owns the appending of events: one stream entry for all events of a script.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua
--
-- Invariants
-- - Events are numbered without gaps. An entry's id is `<ms>-<number of its last event>`.
-- - So `<ms>-<number>` is each event's own id, and a reader can go on in the middle of an entry.
-- - Fields of an entry: per event its type, then the order's id and a tab, then JSON members without braces.
-- - Orders go on where events can't be kept: a key of a wrong type costs events, and nothing else.
-- - The stream keeps EVENTS_KEPT events, and at most MARK_EVERY more, however they are spread over entries.

local EVENTS_KEPT = 100000 -- about 30 MB
local MARK_EVERY = 1000
-- The events of this run: the first `event_count` pairs. (The table stays, so it need not grow again.)
local events = {}
local event_count

each_run(function()
  event_count = 0
end)

-- Adds an event to those of this script. Returns its index among them.
local function add_event(type, id, members)
  local at = 2 * event_count
  event_count = event_count + 1
  events[at + 1], events[at + 2] = type, id .. '\t' .. members
  return event_count
end

-- Every MARK_EVERY events the entry is marked; where marks reach back too far, all before the oldest one goes.
local function trim_events(entry)
  local marks = try('RPUSH', key.event_marks, entry)
  if marks and marks > EVENTS_KEPT / MARK_EVERY then
    try('XTRIM', key.events, 'MINID', '~', redis.call('LPOP', key.event_marks))
  end
end

-- The id of the newest entry, as ms and number; 0 and 0 where there is none.
local function newest_event()
  local newest = redis.call('XREVRANGE', key.events, '+', '-', 'COUNT', 1)[1]
  local ms, number = string.match(newest and newest[1] or '0-0', '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(number)
end

-- Appends the events of this script. Returns the entry's id; '' where there is no event.
local function append_events()
  local count = event_count
  if count == 0 then
    return ''
  end
  local last = redis.pcall('INCRBY', key.event_count, string.format('%d', count))
  if type(last) ~= 'number' then
    return ''
  end
  local entry = now_text .. '-' .. string.format('%.0f', last)
  local reply = redis.pcall('XADD', key.events, entry, unpack(events, 1, 2 * count))
  if type(reply) == 'table' and reply.err then
    -- The clock was set back, or the count is lost: on from the newest.
    if redis.call('TYPE', key.events).ok ~= 'stream' then
      return ''
    end
    local ms, number = newest_event()
    last = math.max(last, number + count)
    redis.call('SET', key.event_count, string.format('%.0f', last))
    entry = string.format('%.0f-%.0f', math.max(ms, now_ms), last)
    redis.call('XADD', key.events, entry, unpack(events, 1, 2 * count))
  end
  if math.floor(last / MARK_EVERY) > math.floor((last - count) / MARK_EVERY) then
    trim_events(entry)
  end
  return entry
end
