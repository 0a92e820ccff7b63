-- resume-rule
-- Has a rule that ended go on where it was.
-- Needs lib/keys.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the rule
-- Returns  1; 0 where it had not ended

return redis.call('HDEL', key.rule(ARGV[1]), 'ended', 'ended_why', 'ended_at') > 0 and 1 or 0
