-- payments
-- Owns the payments that a run reads and changes.
-- Needs lib/changes.lua lib/writes.lua lib/settings.lua lib/payment.lua lib/damage.lua lib/try.lua
--
--            authorise                capture              refund
-- PENDING ─────────────▶ CREATED ──────────────▶ SUCCESSFUL ──────▶ REFUNDED
--  │  │   take (cash) ─────┼──────────────────────▲                    ▲
--  │  └─ decline ─▶ PENDING └────── reverse (its order is cancelled) ───┘
--  └──▶ FAILED (its order is cancelled, or the authorisation lapsed)
--
-- Invariants
-- - A payment has its order's id. Its amount is the order's price, and never changes.
-- - Each change is one operation with one event, and says when the payment is to be looked at next.
-- - One that can't be read keeps no order from its end, and is looked at until it is put right.
-- - A payment is kept as long as its order, and until it is settled (forget-orders.lua).

local payments = {}
do

-- Payments of this run by id: false where there is none, DAMAGED where it can't be read; and which of them it has
-- changed, by id: when to look at it next (ms since 1970), or false. Nil in most runs.
local loaded, looks

each_run(function()
  loaded, looks = nil, nil
end)

-- How orders of that price are paid: counter or card; nil where they are not.
function payments.kind_for(price)
  local kind = setting('payment')
  return kind ~= '"off"' and tonumber(price) > 0 and cjson.decode(kind) or nil
end

-- Checks that a payment can be added. To be called before the order is.
function payments.check_keys()
  check_type(key.payments, 'zset')
  check_type(key.payments_open, 'zset')
end

-- When the time to pay is over that begins now, ms since 1970.
function payments.new_deadline()
  return string.format('%.0f', now_ms + 1000 * setting('payment_timeout_seconds'))
end

-- The payment of an order; false where it has none, DAMAGED where it can't be read. Throws where what is to be looked
-- at can't be kept.
function payments.look_at(id)
  loaded = loaded or {}
  local payment = loaded[id]
  if payment == nil then
    payment = read_payment(id)
    if payment == nil then
      payment = DAMAGED
      list_damaged(id)
    end
    if payment then
      check_type(key.payments_open, 'zset')
    end
    loaded[id] = payment
  end
  return payment
end

-- The same; throws DAMAGED.
function payments.find(id)
  local payment = payments.look_at(id)
  if payment == DAMAGED then
    error(DAMAGED)
  end
  return payment
end

-- To be called after each change. `look_ms`: when it is to be looked at next, ms since 1970; nil: when it is asked for.
-- (One that can't be read is DAMAGED, and stays as it is.)
function payments.changed(id, payment, look_ms)
  loaded, looks = loaded or {}, looks or {}
  loaded[id], looks[id] = payment, look_ms or false
end

function payments.add(id, kind, price, deadline_ms)
  local payment = {
    status = 'PAYMENT_PENDING', kind = kind, amount = tonumber(price), currency = cjson.decode(setting('currency')),
    created_at = now, expires_at = time_text(tonumber(deadline_ms)), attempt = 0,
  }
  gather('ZADD', key.payments, now_text, id)
  payments.changed(id, payment)
end

-- Notes an event of a payment. Returns the payment as JSON.
function payments.note_event(verb, id, payment, order)
  local json = encode_payment(id, payment)
  add_event(verb, id, (order and encode_changes(order) .. ',' or '') .. '"payment":' .. json)
  return json
end

-- What the end of an unpaid order makes of its payment: one that was never tried has failed; another is to be freed at
-- the provider; one that can't be read is looked at.
function payments.close_unpaid(id, payment, order)
  if payment == DAMAGED or payment.attempt > 0 then
    payments.changed(id, payment, now_ms)
    return
  end
  payments.fail(id, payment, order)
end

-- `why`: nil where its order's end says it. Returns the payment as JSON.
function payments.fail(id, payment, order, why)
  payment.status, payment.failed_at, payment.error = 'PAYMENT_FAILED', now, why or payment.error
  payment.expires_at, payment.is_under_way, payment.method = nil, nil, nil
  payments.changed(id, payment)
  return payments.note_event('payment.failed', id, payment, order)
end

-- Puts the order of a payment into its queue, or among the scheduled ones.
function payments.queue_paid(id, order)
  local is_later = order.due ~= '' and tonumber(order.due) > now_ms
  enter(id, order, is_later and 'scheduled' or 'queued')
  order.deadline = nil
  if not is_later then
    set_field(order, 'due', '')
  end
  note_event(is_later and 'order.scheduled' or 'order.queued', id, order)
end

-- Throws where a paid order could not be queued. To be called before its payment is changed.
function payments.check_paid(order)
  check_queue(order.queue, 'queued')
  check_type(key.scheduled(order.queue), 'zset')
end

function payments.write()
  for id, look_ms in pairs(looks or {}) do
    if loaded[id] ~= DAMAGED then
      redis.call('SET', key.payment(id), cjson.encode(loaded[id]))
    end
    if look_ms then
      try('ZADD', key.payments_open, string.format('%.0f', look_ms), id)
    else
      try('ZREM', key.payments_open, id)
    end
  end
end

end
