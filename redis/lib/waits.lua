-- waits
-- Owns the recent waits from placed to ready, and the time that an order is expected to take.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/try.lua
--
-- Invariants
-- - Of a queue the last WAITS_KEPT are kept, for a day: one a run, which stands for all of it.
-- - The expected wait is their median.

local placed_ms, waits_since_ms, median_wait_ms, keep_wait, describe_order
do

local WAITS_KEPT = 51
local FIRST_WAIT, LAST_WAIT = '0', string.format('%d', WAITS_KEPT - 1)
local WAITS_MS = '86400000'

-- When an order was placed, ms since 1970; nil where no index names it, or it can't be read.
function placed_ms(id, queue)
  return tonumber(try('ZSCORE', key.orders, id) or queue ~= COUNTER and try('ZSCORE', key.calls(queue), id) or nil)
end

-- Since when an order waits, ms since 1970: since it was placed, or since the time that it was scheduled for.
function waits_since_ms(id, order)
  local not_before = string.match(order.fixed, '"not_before":"([^"]*)"')
  return not_before and read_time(not_before) or placed_ms(id, order.queue)
end

-- The median of the queue's recent waits, in ms; nil without history.
function median_wait_ms(queue)
  local waits = try('LRANGE', key.waits(queue), FIRST_WAIT, LAST_WAIT) or {}
  if #waits == 0 then
    return nil
  end
  for i, wait in ipairs(waits) do
    waits[i] = tonumber(wait) or 0
  end
  table.sort(waits)
  return waits[math.ceil(#waits / 2)]
end

function keep_wait(queue, wait_ms)
  local name = key.waits(queue)
  redis.call('LPUSH', name, string.format('%d', wait_ms))
  redis.call('LTRIM', name, FIRST_WAIT, LAST_WAIT)
  redis.call('PEXPIRE', name, WAITS_MS)
end

-- An order as it is now, as JSON: while it is queued, with its position and, once there is history, its expected wait.
-- Either is left out where its key can't say.
function describe_order(id, order)
  local rank = order.status == 'queued' and try('ZRANK', key.waiting(order.queue), id)
  if not rank then
    return encode_json(id, order)
  end
  local more = ',"position":' .. rank + 1
  local median_ms, since_ms = median_wait_ms(order.queue), waits_since_ms(id, order)
  if median_ms and since_ms then
    local eta_seconds = math.max(0, math.ceil((median_ms - (now_ms - since_ms)) / 1000))
    more = more .. ',"eta_seconds":' .. string.format('%.0f', eta_seconds)
  end
  return encode_json(id, order, more)
end

end
