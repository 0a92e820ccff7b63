-- upgrade-orders
-- Upgrades a page of orders that are in the format before this one. One server does it at a time. It goes from the
-- newest order to the oldest, so that orders which are forgotten meanwhile make it pass over none.
-- Needs lib/keys.lua lib/order.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  server that upgrades
-- ARGV[2]  version of this server
-- ARGV[3]  rank to go on at, as the page before says; '' at the start
-- Returns  {'other'}: another server upgrades | {'page', rank to go on at, number upgraded}
--          | {'done', '', number upgraded}

local EXAMINED = 500
local LEASE_MS = 30000

local owner = redis.call('GET', key.upgrading)
if owner and owner ~= ARGV[1] then
  return { 'other' }
end
redis.call('SET', key.upgrading, ARGV[1], 'PX', LEASE_MS)

local last = tonumber(ARGV[3]) or redis.call('ZCARD', key.orders) - 1
local first = math.max(0, last - EXAMINED + 1)
local upgraded = 0
for _, id in ipairs(last < 0 and {} or redis.call('ZRANGE', key.orders, first, last)) do
  local record = redis.call('TYPE', key.order(id)).ok == 'string' and redis.call('GET', key.order(id))
  local newer = record and not decode_current(record) and upgrade_record(record)
  if newer then
    redis.call('SET', key.order(id), newer, 'KEEPTTL')
    upgraded = upgraded + 1
  end
end
if first > 0 and last >= 0 then
  return { 'page', first - 1, upgraded }
end
redis.call('SET', key.format, FORMAT .. ' ' .. ARGV[2] .. ' ' .. FORMAT)
redis.call('DEL', key.upgrading)
return { 'done', '', upgraded }
