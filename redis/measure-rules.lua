-- measure-rules
-- Measures rules: how far they are, and what was delivered last.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/event-numbers.lua lib/rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  rules
-- Returns  per rule {how many events it has yet to look at, entries in hand, events to be tried again, dead letters,
--          events that were lost, why it ended, when, its last delivery as JSON, its last failure as JSON}: '' for none

local function count(command, name)
  return try(command, name) or 0
end

local newest = tonumber(try('GET', key.event_count) or nil) or 0
local measures = {}
for i, rule in ipairs(ARGV) do
  local state = try('HMGET', key.rule(rule), 'given', 'lost', 'ended_why', 'ended_at', 'last', 'failure') or {}
  local given = state[1] and number_of(state[1]) or newest
  local pending = redis.pcall('XPENDING', key.events, group_of(rule))
  measures[i] = {
    math.max(0, newest - given), pending.err and 0 or pending[1], count('ZCARD', key.deliveries_retried(rule)),
    count('ZCARD', key.deliveries_dead(rule)), tonumber(state[2] or nil) or 0,
    state[3] or '', state[4] or '', state[5] or '', state[6] or '',
  }
end
return measures
