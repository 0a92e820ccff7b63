-- forget-rules
-- Forgets rules that no server has served for long: their consumer groups, and where they were. What they had yet to
-- try again is dead. Their dead letters are kept for as long as those of other rules.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  for how long none served them, ms
-- Returns  {rule …}

-- Whether nothing is left to be tried again. (Where a key is of another type, the rule stays until that is put right.)
local function give_up(rule)
  local dead, retried = key.deliveries_dead(rule), key.deliveries_retried(rule)
  local events = try('ZRANGE', retried, 0, -1)
  if not events or not try('ZCARD', dead) or not try('HLEN', key.deliveries(rule)) then
    return false
  end
  for _, event in ipairs(events) do
    redis.call('ZADD', dead, now_text, event)
  end
  redis.call('DEL', retried)
  trim_dead(rule)
  return true
end

local forgotten = {}
for _, rule in ipairs(try('ZRANGEBYSCORE', key.rules, '-inf', now_ms - ARGV[1], 'LIMIT', 0, 100) or {}) do
  if give_up(rule) then
    redis.pcall('XGROUP', 'DESTROY', key.events, group_of(rule))
    redis.call('DEL', key.rule(rule), key.reader(group_of(rule)))
    redis.call('ZREM', key.rules, rule)
    forgotten[#forgotten + 1] = rule
  end
end
return forgotten
