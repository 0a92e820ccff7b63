-- search-calls
-- Searches orders of a queue of machines that were given a label, a page at a time: those whose label begins so, by
-- label; or all, newest first. Examines a bounded number of them a call.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/pages.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  how labels begin, or '' for all
-- ARGV[3]  placed at or after, RFC 3339 as orders show it, or ''
-- ARGV[4]  placed before, the same, or ''
-- ARGV[5]  ready, or open for all others, or '' for any
-- ARGV[6]  label of the one to go on after, or ''
-- ARGV[7]  its number
-- ARGV[8]  most orders a page
-- Returns  lines: 'page', label and number of the one to go on after or '' and '', then per order its label and the
--          order as JSON

local queue, prefix, from, before, wanted = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local after_label, after_number, limit = ARGV[6], ARGV[7], tonumber(ARGV[8])

-- The candidates, and the label and the number of each.
local ids, labels, numbers = {}, {}, {}
if prefix ~= '' then
  -- (Behind a label stands a space, which is less than all that a label may hold, and \255 is more.)
  local first = after_label ~= '' and '(' .. after_label .. ' ' .. after_number .. ' \255' or '[' .. prefix
  local range = { first, '(' .. prefix .. '\255', 'LIMIT', 0, EXAMINED }
  for i, entry in ipairs(redis.call('ZRANGEBYLEX', key.call_labels(queue), unpack(range))) do
    labels[i], numbers[i], ids[i] = string.match(entry, '^(%S+) (%S+) (%S+)$')
  end
else
  local last = after_number ~= '' and '(' .. after_number or '+inf'
  local entries = redis.call(
    'ZREVRANGEBYSCORE', key.call_numbers(queue), last, '-inf', 'WITHSCORES', 'LIMIT', 0, EXAMINED
  )
  for i = 1, #entries, 2 do
    ids[#ids + 1], labels[#labels + 1] = string.match(entries[i], '^(%S+) (%S+)$')
    numbers[#numbers + 1] = entries[i + 1]
  end
end

local function is_wanted(_, order)
  local placed_at = string.match(order.fixed, '"placed_at":"([^"]+)"$') or ''
  return (from == '' or placed_at >= from) and (before == '' or placed_at < before)
    and (wanted == '' or (wanted == 'ready') == (order.status == 'ready'))
end

local function line_of(id, order, i)
  return labels[i] .. '\t' .. encode_json(id, order)
end

local lines, last = make_page(ids, limit, is_wanted, line_of)
local go_on = last or #ids == EXAMINED and EXAMINED or nil
lines[1] = 'page\t' .. (go_on and labels[go_on] .. '\t' .. numbers[go_on] or '\t')
return table.concat(lines, '\n')
