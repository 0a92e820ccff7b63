-- rules
-- Owns how the deliveries of a rule are kept: which events are in hand, which are tried again, and which are dead.
-- Needs lib/keys.lua lib/clock.lua
--
-- Invariants
-- - An event that is in hand is pending in the rule's consumer group. One that is tried again, or dead, has a record.
-- - A record is tried again, by when it is due, or it is dead, by when it died: never both.
-- - Of a rule the newest DEAD_KEPT dead letters are kept, for DEAD_MS.

local DEAD_KEPT = 10000
local DEAD_MS = 400 * DAY_MS
-- The score of a record that staff want tried again: no time is that.
local REPLAYED = '0'

local function group_of(rule)
  return 'rule:' .. rule
end

-- Forgets what is too old, or too much.
local function trim_dead(rule)
  local dead = key.deliveries_dead(rule)
  local surplus = redis.call('ZCARD', dead) - DEAD_KEPT
  local gone = redis.call('ZRANGEBYSCORE', dead, '-inf', now_ms - DEAD_MS, 'LIMIT', 0, 100)
  if surplus > 0 then
    gone = redis.call('ZRANGE', dead, 0, math.min(surplus, 1000) - 1)
  end
  if #gone > 0 then
    redis.call('ZREM', dead, unpack(gone))
    redis.call('HDEL', key.deliveries(rule), unpack(gone))
  end
  redis.call('PEXPIRE', dead, DEAD_MS)
  redis.call('PEXPIRE', key.deliveries(rule), DEAD_MS)
end
