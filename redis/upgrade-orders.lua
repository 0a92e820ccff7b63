-- upgrade-orders
-- Upgrades a page of orders that are in the format before this one. One server does it at a time. It goes from the
-- newest order to the oldest, so that orders which are forgotten meanwhile make it pass over none.
-- Needs lib/keys.lua lib/order.lua lib/try.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  server that upgrades
-- ARGV[2]  version of this server
-- ARGV[3]  where to go on, as the page before says; '' at the start
-- Returns  {'other'}: another server upgrades | {'page', where to go on, number upgraded}
--          | {'done', '', number upgraded}

local EXAMINED = 500
local LEASE_MS = 30000

local owner = redis.call('GET', key.upgrading)
if owner and owner ~= ARGV[1] then
  return { 'other' }
end
redis.call('SET', key.upgrading, ARGV[1], 'PX', LEASE_MS)

-- The indexes in turn: the counter's, then those of the queues of machines. (One that comes meanwhile holds no order in
-- the format before.)
local queue, rank = string.match(ARGV[3], '^(%S*) (%d+)$')
local index = (queue or '') == '' and key.orders or key.calls(queue)

local function next_queue()
  local found
  for _, name in ipairs(try('HKEYS', key.queue_rules) or {}) do
    if name > (queue or '') and (not found or name < found) then
      found = name
    end
  end
  return found
end

local last = tonumber(rank) or (try('ZCARD', index) or 0) - 1
local first = math.max(0, last - EXAMINED + 1)
local upgraded = 0
for _, id in ipairs(last < 0 and {} or try('ZRANGE', index, first, last) or {}) do
  local record = redis.call('TYPE', key.order(id)).ok == 'string' and redis.call('GET', key.order(id))
  local newer = record and not decode_current(record) and upgrade_record(record)
  if newer then
    redis.call('SET', key.order(id), newer, 'KEEPTTL')
    upgraded = upgraded + 1
  end
end
if first > 0 and last >= 0 then
  return { 'page', (queue or '') .. ' ' .. string.format('%.0f', first - 1), upgraded }
end
local following = next_queue()
if following then
  return { 'page', following .. ' ' .. string.format('%.0f', math.max(0, (try('ZCARD', key.calls(following)) or 0) - 1)), upgraded }
end
redis.call('SET', key.format, FORMAT .. ' ' .. ARGV[2] .. ' ' .. FORMAT)
redis.call('DEL', key.upgrading)
return { 'done', '', upgraded }
