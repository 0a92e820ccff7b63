-- expire-reservations
-- Cancels the reservations whose customer has not chosen in time.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- Returns  {ms until the next one runs out or -1, number cancelled}

local retention_ms = tonumber(ARGV[1])
local MOST = 500
local expired = redis.call('ZRANGEBYSCORE', key.reserved, '-inf', now_ms, 'LIMIT', 0, MOST)
local cancelled = 0
for _, id in ipairs(expired) do
  local order, fault = read_order(id)
  if order and order.status == 'reserved' then
    cancel_order(id, order, 'customer_timeout', retention_ms)
    cancelled = cancelled + 1
  else
    drop_from(key.reserved, id, fault)
  end
end
write_gathered()
local deadline_ms = redis.call('ZRANGE', key.reserved, 0, 0, 'WITHSCORES')[2]
return { deadline_ms and math.max(0, deadline_ms - now_ms) or -1, cancelled }
