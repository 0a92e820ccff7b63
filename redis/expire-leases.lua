-- Looks after leases that ran out: cancels the orders that nobody finished in their last attempt, and wakes waiting baristas
-- for the others (start-order.lua gives those out; until then their barista may still finish).
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how many leases of one order may run out before it is cancelled
-- ARGV[2]  how long a final order is kept, ms
-- Returns  {ms until the next lease runs out or -1, number cancelled}

local max_attempts = tonumber(ARGV[1])
local retention_ms = tonumber(ARGV[2])
local next_ms, cancelled = -1, 0

for _, queue in ipairs(redis.call('SMEMBERS', key.queues)) do
  local offered = 0
  for _, id in ipairs(try('ZRANGEBYSCORE', key.leases(queue), '-inf', now_ms) or {}) do
    local order, fault = read_order(id)
    if not order or order.status ~= 'brewing' or order.queue ~= queue then
      drop_from(key.leases(queue), id, fault)
    elseif (tonumber(order.expiries) or 0) + 1 >= max_attempts then
      cancel_order(id, order, 'barista_timeout', retention_ms)
      cancelled = cancelled + 1
    else
      offered = offered + 1
    end
  end
  if offered > 0 then
    wake_baristas(queue, offered)
  end
  local deadline_ms = (try('ZRANGEBYSCORE', key.leases(queue), '(' .. now_ms, '+inf', 'WITHSCORES', 'LIMIT', 0, 1) or {})[2]
  if deadline_ms and (next_ms < 0 or deadline_ms - now_ms < next_ms) then
    next_ms = deadline_ms - now_ms
  end
end
write_gathered()
return { next_ms, cancelled }
