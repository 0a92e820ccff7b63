-- forget-rules
-- Forgets rules that no server has served for long: their consumer groups, and where they were. Their dead letters are
-- kept for as long as those of other rules.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/rules.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  for how long none served them, ms
-- Returns  {rule …}

local forgotten = try('ZRANGEBYSCORE', key.rules, '-inf', now_ms - ARGV[1], 'LIMIT', 0, 100) or {}
for _, rule in ipairs(forgotten) do
  redis.pcall('XGROUP', 'DESTROY', key.events, group_of(rule))
  redis.call('DEL', key.rule(rule), key.reader(group_of(rule)))
  redis.call('ZREM', key.rules, rule)
end
return forgotten
