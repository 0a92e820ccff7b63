-- replay-deliveries
-- Has dead letters of a rule tried again: some, or those that died first.
-- Needs lib/keys.lua lib/clock.lua lib/rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the rule
-- ARGV[2]  most dead letters
-- ARGV[3]  as many events as may be tried again at once
-- ARGV[…]  events; none: those that died first
-- Returns  {how many are tried again now, how many dead letters are left, of these how many found no room}

local rule, most, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local dead, retried = key.deliveries_dead(rule), key.deliveries_retried(rule)
local events = #ARGV > 3 and { unpack(ARGV, 4) } or redis.call('ZRANGE', dead, 0, most - 1)
room = room - redis.call('ZCARD', retried)
local replayed, refused = 0, 0
for _, event in ipairs(events) do
  if replayed >= room then
    refused = refused + (redis.call('ZSCORE', dead, event) and 1 or 0)
  elseif redis.call('ZREM', dead, event) == 1 then
    redis.call('ZADD', retried, REPLAYED, event)
    replayed = replayed + 1
  end
end
return { replayed, redis.call('ZCARD', dead), refused }
