-- search-payments
-- Searches payments by the time they were created, oldest first, a page at a time. Examines a bounded number of them a
-- call.
-- Needs lib/keys.lua lib/format.lua lib/payment.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  status, or '' for any
-- ARGV[2]  created at or after, ms since 1970
-- ARGV[3]  created before, ms since 1970
-- ARGV[4]  id of the payment to go on after, or ''
-- ARGV[5]  most payments a page
-- Returns  lines: 'page' and the id to go on after or '', then the payments as JSON | 'cursor_gone'

local EXAMINED = 1000
local status, from_ms, before_ms, cursor, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local first = redis.call('ZCOUNT', key.payments, '-inf', '(' .. from_ms)
if cursor ~= '' then
  local rank = redis.call('ZRANK', key.payments, cursor)
  if not rank then
    return 'cursor_gone'
  end
  first = math.max(first, rank + 1)
end
local last = math.min(redis.call('ZCOUNT', key.payments, '-inf', '(' .. before_ms), first + EXAMINED) - 1
local ids = first > last and {} or redis.call('ZRANGE', key.payments, first, last)

local names = {}
for i, id in ipairs(ids) do
  names[i] = key.payment(id)
end
local lines, go_on, last_shown = { '' }, #ids == EXAMINED and ids[EXAMINED] or '', nil
for i, text in ipairs(#names > 0 and redis.call('MGET', unpack(names)) or {}) do
  local payment = text and decode_payment(text)
  if payment and (status == '' or payment.status == status) then
    if #lines > limit then
      go_on = last_shown
      break
    end
    lines[#lines + 1], last_shown = encode_payment(ids[i], payment), ids[i]
  end
end
lines[1] = 'page\t' .. go_on
return table.concat(lines, '\n')
