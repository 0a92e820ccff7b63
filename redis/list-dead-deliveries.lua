-- list-dead-deliveries
-- Lists the dead letters of a rule, those that died last first.
-- Needs lib/keys.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the rule
-- ARGV[2]  the event behind which the page begins; '' for the first page
-- ARGV[3]  most dead letters
-- Returns  {1 where the event behind which it begins is still listed, else 0,
--          {event, when it died in ms since 1970, record …}, 1 where there are more}

local rule, after, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local first = 0
if after ~= '' then
  local rank = redis.call('ZREVRANK', key.deliveries_dead(rule), after)
  if not rank then
    return { 0, {}, 0 }
  end
  first = rank + 1
end
local found = redis.call('ZREVRANGE', key.deliveries_dead(rule), first, first + most, 'WITHSCORES')
local replies = {}
for i = 1, math.min(#found, 2 * most), 2 do
  local at = #replies
  replies[at + 1], replies[at + 2] = found[i], tonumber(found[i + 1])
  replies[at + 3] = redis.call('HGET', key.deliveries(rule), found[i]) or ''
end
return { 1, replies, #found > 2 * most and 1 or 0 }
