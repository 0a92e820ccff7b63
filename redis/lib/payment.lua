-- payment
-- Owns how a payment is kept, and how it goes over the wire: as JSON.
-- Needs lib/keys.lua lib/try.lua
--
-- Invariants
-- - Money is in cents, times are RFC 3339.
-- - What only the provider and this server need (intent, method, attempt) is kept, and not shown.

local decode_payment, read_payment, is_settled, encode_payment
do

local SHOWN = {
  'status', 'kind', 'amount', 'currency', 'created_at', 'expires_at', 'is_under_way', 'error', 'authorised_at', 'capture_before',
  'captured_at', 'taken_by', 'failed_at', 'refund_reason', 'refund_requested_at', 'refunded_by', 'refunded_at', 'refunded_amount',
}

-- (cjson decodes a JSON null as a value of its own.)
local function has(payment, name, kind)
  return type(payment[name]) == kind
end

-- The payment of a stored text; nil where it can't be read.
function decode_payment(text)
  local ok, payment = pcall(cjson.decode, text)
  local is_payment = ok and type(payment) == 'table' and has(payment, 'status', 'string') and has(payment, 'kind', 'string')
    and has(payment, 'amount', 'number') and has(payment, 'attempt', 'number') and string.find(payment.status, '^PAYMENT_%u+$')
  return is_payment and payment or nil
end

-- The payment of an order, and its stored text; false where there is none, nil where it can't be read.
function read_payment(id)
  local text = try('GET', key.payment(id))
  if text == false then
    return false
  end
  return text and decode_payment(text) or nil, text
end

-- Whether no money of it moves any more.
function is_settled(payment)
  return payment.status == 'PAYMENT_FAILED' or payment.status == 'PAYMENT_REFUNDED'
    or payment.status == 'PAYMENT_SUCCESSFUL' and not payment.refund_requested_at
end

-- A payment as JSON, as it goes over the wire.
function encode_payment(id, payment)
  local members = { '"payment_id":"' .. id .. '","order_id":"' .. id .. '"' }
  for _, name in ipairs(SHOWN) do
    local value = payment[name]
    if value ~= nil then
      local text = type(value) == 'number' and string.format('%.0f', value) or cjson.encode(value)
      members[#members + 1] = '"' .. name .. '":' .. text
    end
  end
  return '{' .. table.concat(members, ',') .. '}'
end

end
