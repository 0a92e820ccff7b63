-- rule-notes
-- Owns what a replica notes of the deliveries of a rule that it has the lease for.
-- Needs lib/keys.lua lib/clock.lua lib/rules.lua
--
-- Invariants
-- - All notes of a call are written with what they settle, or none is.
-- - A call that is sent again notes nothing again.

local rule, replica, target, call = ARGV[1], ARGV[2], ARGV[4], ARGV[7]
local FIRST_TEXT = 12 + ARGV[10]
local FIRST_NOTE = FIRST_TEXT + ARGV[11]
local group, state = group_of(rule), key.rule(rule)
local MAX_OUT = '10000'

local settled = {}
local NOTES = {
  settled = { 1, function(entry)
    settled[#settled + 1] = entry
  end },
  delivered = { 1, function(event)
    redis.call('HDEL', key.deliveries(rule), event)
    redis.call('ZREM', key.deliveries_retried(rule), event)
  end },
  retried = { 3, function(event, due_in_ms, record)
    redis.call('HSET', key.deliveries(rule), event, record)
    redis.call('ZADD', key.deliveries_retried(rule), string.format('%.0f', now_ms + due_in_ms), event)
  end },
  dead = { 2, function(event, record)
    redis.call('HSET', key.deliveries(rule), event, record)
    redis.call('ZREM', key.deliveries_retried(rule), event)
    redis.call('ZADD', key.deliveries_dead(rule), now_text, event)
    trim_dead(rule)
  end },
  append = { 2, function(stream, event)
    redis.call('XADD', key.out(stream), 'MAXLEN', '~', MAX_OUT, '*', 'event', event)
  end },
  state = { 2, function(field, value)
    redis.call('HSET', state, field, value)
  end },
  ended = { 1, function(why)
    redis.call('HSET', state, 'ended', target, 'ended_why', why, 'ended_at', now)
  end },
}

local function note_all()
  if #ARGV < FIRST_NOTE or redis.call('HGET', state, 'call') == replica .. call then
    return
  end
  local at = FIRST_NOTE
  while at <= #ARGV do
    local count, note = unpack(NOTES[ARGV[at]])
    note(unpack(ARGV, at + 1, at + count))
    at = at + 1 + count
  end
  if #settled > 0 then
    redis.pcall('XACK', key.events, group, unpack(settled))
  end
  redis.call('HSET', state, 'call', replica .. call)
end
