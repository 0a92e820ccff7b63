-- current-code
-- Answers the current code, and makes a new one when its period is over.
-- Needs lib/keys.lua lib/clock.lua lib/settings.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the code to take if there is none (unguessable, made by the caller)
-- Returns  {code, drinks remaining, when it changes (ms since 1970)}

local period_ms = 1000 * setting('code_period_seconds')
local ends_at = tonumber(redis.call('HGET', key.code, 'ends_at') or 0)
-- A period that was made shorter ends the code that was made for a longer one.
if ends_at <= now_ms or ends_at > now_ms + period_ms then
  ends_at = (math.floor(now_ms / period_ms) + 1) * period_ms
  redis.call('HSET', key.code, 'code', ARGV[1], 'remaining', setting('drinks_per_code'), 'ends_at', ends_at)
end
local code, remaining = unpack(redis.call('HMGET', key.code, 'code', 'remaining'))
return { code, tonumber(remaining), ends_at }
