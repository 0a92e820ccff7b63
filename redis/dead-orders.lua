-- dead-orders
-- Lists dead letters, newest first, a page at a time. Examines a bounded number of them a call.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue, or '' for any
-- ARGV[2]  reason, or '' for any
-- ARGV[3]  id of the order to go on after, or ''
-- ARGV[4]  most orders a page
-- Returns  lines: 'page' and the id to go on after or '', then the orders as JSON | 'cursor_gone'

local EXAMINED, STEP = 1000, 100
local queue, reason, cursor, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local first = 0
if cursor ~= '' then
  local rank = redis.call('ZREVRANK', key.dead, cursor)
  if not rank then
    return 'cursor_gone'
  end
  first = rank + 1
end

local lines, last = { '' }, ''
local ids = redis.call('ZREVRANGE', key.dead, first, first + EXAMINED - 1)

-- Whether the page is full.
local function add_page(from)
  local some = { unpack(ids, from, math.min(from + STEP - 1, #ids)) }
  local found = read_orders(some, true)
  for _, id in ipairs(some) do
    local order = found[id]
    if order and (queue == '' or order.queue == queue) and (reason == '' or order.reason == reason) then
      if #lines - 1 == limit then
        return true
      end
      lines[#lines + 1] = encode_json(id, order)
      last = id
    end
  end
end

local go_on = #ids == EXAMINED and ids[#ids] or ''
for from = 1, #ids, STEP do
  if add_page(from) then
    go_on = last
    break
  end
end
lines[1] = 'page\t' .. go_on
return table.concat(lines, '\n')
