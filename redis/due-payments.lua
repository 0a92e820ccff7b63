-- due-payments
-- Takes the payments that are to be looked at now, for one server: for the others they are due again once its time for
-- them is over. What is settled, or gone, leaves the index; what can't be read is passed over until it is put right.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/damage.lua lib/payment.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how long a server may take for one, ms
-- ARGV[2]  after how long one is looked at again that waits for its order, ms
-- ARGV[3]  most payments
-- Returns  {ms until the next one is due or -1, {id, its order's status or '' where that is gone, the payment as it is
--          kept (JSON)} …}

local lease_ms, again_ms, most = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local WAITING = { scheduled = true, queued = true, brewing = true }

local ids = redis.call('ZRANGEBYSCORE', key.payments_open, '-inf', now_text, 'LIMIT', 0, most)
local found = read_orders(ids)
local reply = { -1 }
for _, id in ipairs(ids) do
  local payment, text = read_payment(id)
  if payment == false or payment and is_settled(payment) then
    redis.call('ZREM', key.payments_open, id)
  else
    if not payment then
      list_damaged(id)
    end
    local order = found[id]
    local status = order and order.status or ''
    -- (A damaged order may be put right: no money moves until then.)
    local is_readable = order ~= nil and payment
    local is_waiting = not is_readable or payment.status == 'PAYMENT_CREATED' and WAITING[status]
    redis.call('ZADD', key.payments_open, string.format('%.0f', now_ms + (is_waiting and again_ms or lease_ms)), id)
    if is_readable then
      reply[#reply + 1] = { id, status, text }
    end
  end
end
local following = redis.call('ZRANGE', key.payments_open, 0, 0, 'WITHSCORES')[2]
if following then
  reply[1] = math.max(0, following - now_ms)
end
return reply
