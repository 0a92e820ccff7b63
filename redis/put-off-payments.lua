-- put-off-payments
-- Says when payments are to be looked at next that are to be looked at: now, or once their provider may answer again.
-- Needs lib/keys.lua lib/clock.lua lib/format.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  from now, ms
-- ARGV[…]  their ids
-- Returns  how many there are of them

local count = 0
for i = 2, #ARGV do
  if redis.call('ZSCORE', key.payments_open, ARGV[i]) then
    redis.call('ZADD', key.payments_open, string.format('%.0f', now_ms + ARGV[1]), ARGV[i])
    count = count + 1
  end
end
return count
