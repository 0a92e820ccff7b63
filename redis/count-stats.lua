-- count-stats
-- Counts what happened in the shop: entries of the events stream that were not counted yet, a bounded number a call.
-- Calls of machines are not counted, nor reservations for which nothing was chosen.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua lib/format.lua lib/event-numbers.lua lib/stats.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how much greater each bucket of a time is than the one before
-- ARGV[2]  how long an hour is kept, ms
-- ARGV[3]  so many events are enough for a call; as many entries more as STEP may come
-- Returns  {1 where there may be more, else 0; events that are no longer kept and were never counted; events that are
--          still to be counted}

local growth, kept_ms, enough = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local STEP = 10 -- entries

-- Counts what came after an event; nil: from the first that is kept. A few entries at a time: what is read of them does
-- not pile up. Returns the first entry and the last one, and whether there may be more.
local function count_after(after)
  local first, last, events, some = nil, nil, 0, nil
  repeat
    some = redis.call('XRANGE', key.events, after and '(' .. after or '-', '+', 'COUNT', STEP)
    first, last = first or some[1], some[#some] or last
    after = last and last[1]
    for _, entry in ipairs(some) do
      events = events + #entry[2] / 2
    end
    count_entries(some, growth)
  until #some < STEP or events >= enough
  return first, last, #some == STEP
end

-- How many events came after that one. Less than none: the shop was emptied since, and its events are numbered anew.
local function count_left(id)
  return newest_number() - number_of(id)
end

local counted = redis.call('GET', key.stats_counted) or nil
local first, last, has_more = count_after(counted)
if not first and (not counted or count_left(counted) >= 0) then
  return { 0, 0, 0 }
end
if not first then
  counted = nil
  first, last, has_more = count_after(nil)
end

local lost = counted and first and number_before(first) - number_of(counted) or 0
write_counts(kept_ms)
redis.call('SET', key.stats_counted, last and last[1] or '0-0')
return { has_more and 1 or 0, math.max(lost, 0), has_more and count_left(last[1]) or 0 }
