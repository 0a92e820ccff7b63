-- Searches orders by the time they were placed, oldest first, a page at a time. Examines a bounded number of them a call.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  customer id, or '' for all
-- ARGV[2]  status, or '' for any
-- ARGV[3]  placed at or after, ms since 1970
-- ARGV[4]  placed before, ms since 1970
-- ARGV[5]  id of the order to go on after, or ''
-- ARGV[6]  most orders a page
-- Returns  {'page', id to go on after or '', {id, the order as JSON, with position and expected wait} …} | {'cursor_gone'}

local EXAMINED = 1000
local customer_id, status = ARGV[1], ARGV[2]
local from_ms, before_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local cursor, limit = ARGV[5], tonumber(ARGV[6])
local index = customer_id == '' and key.orders or key.orders_of(customer_id)

local first = redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[3])
if cursor ~= '' then
  local rank = redis.call('ZRANK', index, cursor)
  if not rank then
    return { 'cursor_gone' }
  end
  first = math.max(first, rank + 1)
end

local page = { 'page', '' }
local candidates = redis.call('ZRANGE', index, first, first + EXAMINED - 1, 'WITHSCORES')
for at = 1, #candidates, 2 do
  local id, placed_at_ms = candidates[at], tonumber(candidates[at + 1])
  if placed_at_ms >= before_ms then
    return page
  end
  local order, fault
  -- Without a status it may be damaged.
  local its_status = status ~= '' and try('HGET', key.order(id), 'status') or status
  if its_status == status then
    order, fault = read_order(id, true)
  end
  if fault and fault ~= NONE then
    set_aside(id)
  elseif order and (status == '' or order.status == status) then
    if #page - 2 == limit then
      page[2] = page[#page][1]
      return page
    end
    page[#page + 1] = { id, describe_order(id, order) }
  end
end
if #candidates == 2 * EXAMINED then
  page[2] = candidates[#candidates - 1]
end
return page
