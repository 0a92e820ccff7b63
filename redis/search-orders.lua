-- search-orders
-- Searches orders by the time they were placed, a page at a time. Examines a bounded number of them a call.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua lib/pages.lua lib/said.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  customer id, or '' for all
-- ARGV[2]  statuses, with commas between, or '' for any
-- ARGV[3]  placed at or after, ms since 1970
-- ARGV[4]  placed before, ms since 1970
-- ARGV[5]  id of the order to go on after, or ''
-- ARGV[6]  most orders a page
-- ARGV[7]  queue of machines, or '' for the counter
-- ARGV[8]  'newest' for the newest first, or '' for the oldest
-- ARGV[9]  who brews or brewed it (JSON), or '' for any
-- ARGV[…]  spellings of a text that it says, or none for any
-- Returns  lines: 'page' and the id to go on after or '', then the orders as JSON, with position and expected
--          wait | 'cursor_gone'

local customer_id, statuses = ARGV[1], ',' .. ARGV[2] .. ','
local from_ms, before_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local cursor, limit = ARGV[5], tonumber(ARGV[6])
local queue, is_newest_first, barista = ARGV[7], ARGV[8] == 'newest', ARGV[9]
local spellings = { unpack(ARGV, 10) }
local index = queue ~= '' and key.calls(queue) or customer_id == '' and key.orders or key.orders_of(customer_id)

local function count_before_range()
  if is_newest_first then
    return redis.call('ZCOUNT', index, ARGV[4], '+inf')
  end
  return redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[3])
end

local function is_behind_range(placed_at_ms)
  if is_newest_first then
    return placed_at_ms < from_ms
  end
  return placed_at_ms >= before_ms
end

local first = count_before_range()
if cursor ~= '' then
  local rank = redis.call(is_newest_first and 'ZREVRANK' or 'ZRANK', index, cursor)
  if not rank then
    return 'cursor_gone'
  end
  first = math.max(first, rank + 1)
end

local range = is_newest_first and 'ZREVRANGE' or 'ZRANGE'
local candidates = redis.call(range, index, first, first + EXAMINED - 1, 'WITHSCORES')
local ids, is_over = {}, false
for at = 1, #candidates, 2 do
  is_over = is_over or is_behind_range(tonumber(candidates[at + 1]))
  if not is_over then
    ids[#ids + 1] = candidates[at]
  end
end

local function is_wanted(_, order)
  return (statuses == ',,' or string.find(statuses, ',' .. order.status .. ',', 1, true) ~= nil)
    and (barista == '' or order.barista == barista)
    and (#spellings == 0 or says(order, spellings))
end

local lines, last = make_page(ids, limit, is_wanted, describe_order)
local go_on = ids[last or 0]
if not go_on and not is_over and #candidates == 2 * EXAMINED then
  go_on = candidates[#candidates - 1]
end
lines[1] = 'page\t' .. (go_on or '')
return table.concat(lines, '\n')
