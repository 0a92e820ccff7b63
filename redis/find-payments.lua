-- find-payments
-- Finds payments by id, as they are now.
-- Needs lib/keys.lua lib/format.lua lib/payment.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per payment: its id
-- Returns  a line a payment: found, the payment as JSON | unknown | damaged

local names = {}
for i, id in ipairs(ARGV) do
  names[i] = key.payment(id)
end
local lines = {}
for i, text in ipairs(redis.call('MGET', unpack(names))) do
  local payment = text and decode_payment(text)
  lines[i] = payment and 'found\t' .. encode_payment(ARGV[i], payment)
    or (text or redis.call('EXISTS', names[i]) == 1) and 'damaged' or 'unknown'
end
return table.concat(lines, '\n')
