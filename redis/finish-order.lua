-- Finishes orders: each brewing order becomes ready, its customers' bell rings.
-- A barista whose lease ran out may still finish, until somebody else has the order. Finishing again answers the same.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a final order is kept, ms
-- ARGV[…]  per order: order id, barista ('' is whoever holds it)
-- Returns  per order {'finished', id, the order as JSON} | {'unknown'} | {'conflict', status, barista}

local retention_ms = tonumber(ARGV[1])

-- Trimmed now and then: twice as long a list costs less than a trim each time.
local function note_wait(waits, wait_ms)
  local length = redis.call('LPUSH', waits, wait_ms)
  if length == 1 or length >= 2 * WAITS_KEPT then
    redis.call('LTRIM', waits, 0, WAITS_KEPT - 1)
    redis.call('PEXPIRE', waits, WAITS_MS)
  end
end

local function finish(id, barista)
  local order = read_order(id, 'placed_at', 'claim', 'once')
  if order.status == 'ready' and (barista == '' or barista == order.barista) then
    return { 'finished', id, encode_order(id) }
  end
  if not holds(order, barista) then
    return refuse(order)
  end

  redis.call('HSET', key.order(id), 'status', 'ready', 'finished_at', now_ms)
  note_wait(key.waits(order.queue), now_ms - order.placed_at)
  close_order(id, order, retention_ms)
  return { 'finished', id, append_event(id, 'finished') }
end

return each_item(2, 2, finish)
