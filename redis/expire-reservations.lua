-- expire-reservations
-- Cancels the reservations whose customer has not chosen in time.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- Returns  {ms until the next one runs out or -1, number cancelled}

local MOST = 500
local expired = redis.call('ZRANGEBYSCORE', key.reserved, '-inf', now_ms, 'LIMIT', 0, MOST)
for _, id in ipairs(expired) do
  cancel_order(id, read_order(id), 'customer_timeout', tonumber(ARGV[1]))
end
write_gathered()
local deadline_ms = redis.call('ZRANGE', key.reserved, 0, 0, 'WITHSCORES')[2]
return { deadline_ms and math.max(0, deadline_ms - now_ms) or -1, #expired }
