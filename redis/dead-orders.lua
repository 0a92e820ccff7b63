-- dead-orders
-- Lists dead letters, newest first, a page at a time. Examines a bounded number of them a call.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/pages.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue, or '' for any
-- ARGV[2]  reason, or '' for any
-- ARGV[3]  id of the order to go on after, or ''
-- ARGV[4]  most orders a page
-- Returns  lines: 'page' and the id to go on after or '', then the orders as JSON | 'cursor_gone'

local queue, reason, cursor, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local first = 0
if cursor ~= '' then
  local rank = redis.call('ZREVRANK', key.dead, cursor)
  if not rank then
    return 'cursor_gone'
  end
  first = rank + 1
end

local ids = redis.call('ZREVRANGE', key.dead, first, first + EXAMINED - 1)

local function is_wanted(_, order)
  return (queue == '' or order.queue == queue) and (reason == '' or order.reason == reason)
end

local function line_of(id, order)
  return encode_json(id, order)
end

local lines, last = make_page(ids, limit, is_wanted, line_of)
local go_on = last or #ids == EXAMINED and EXAMINED or nil
lines[1] = 'page\t' .. (go_on and ids[go_on] or '')
return table.concat(lines, '\n')
