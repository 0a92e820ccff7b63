-- search-calls
-- Searches orders of a queue of machines that were given a label, a page at a time: those whose label begins so, by
-- label; or all, newest first. Examines a bounded number of them a call.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua
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

local EXAMINED, STEP = 1000, 100
local queue, prefix, from, before, wanted = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local after_label, after_number, limit = ARGV[6], ARGV[7], tonumber(ARGV[8])

-- Per candidate {id, label, number}.
local candidates = {}
if prefix ~= '' then
  -- (Behind a label stands a space, which is less than all that a label may hold, and \255 is more.)
  local first = after_label ~= '' and '(' .. after_label .. ' ' .. after_number .. ' \255' or '[' .. prefix
  local range = { first, '(' .. prefix .. '\255', 'LIMIT', 0, EXAMINED }
  for i, entry in ipairs(redis.call('ZRANGEBYLEX', key.call_labels(queue), unpack(range))) do
    local label, number, id = string.match(entry, '^(%S+) (%S+) (%S+)$')
    candidates[i] = { id, label, number }
  end
else
  local last = after_number ~= '' and '(' .. after_number or '+inf'
  local entries = redis.call(
    'ZREVRANGEBYSCORE', key.call_numbers(queue), last, '-inf', 'WITHSCORES', 'LIMIT', 0, EXAMINED
  )
  for i = 1, #entries, 2 do
    local id, label = string.match(entries[i], '^(%S+) (%S+)$')
    candidates[#candidates + 1] = { id, label, entries[i + 1] }
  end
end

local function is_wanted(order)
  local placed_at = string.match(order.fixed, '"placed_at":"([^"]+)"$') or ''
  return (from == '' or placed_at >= from) and (before == '' or placed_at < before)
    and (wanted == '' or (wanted == 'ready') == (order.status == 'ready'))
end

local lines, last = { '' }, nil
-- Whether the page is full.
local function add_page(first)
  local ids = {}
  for i = first, math.min(first + STEP - 1, #candidates) do
    ids[#ids + 1] = candidates[i][1]
  end
  local found = read_orders(ids, true)
  for i = first, first + #ids - 1 do
    local id, label = candidates[i][1], candidates[i][2]
    local order = found[id]
    if order and is_wanted(order) then
      if #lines - 1 == limit then
        return true
      end
      lines[#lines + 1] = label .. '\t' .. encode_json(id, order)
      last = candidates[i]
    end
  end
end

local go_on = #candidates == EXAMINED and candidates[#candidates] or nil
for first = 1, #candidates, STEP do
  if add_page(first) then
    go_on = last
    break
  end
end
lines[1] = 'page\t' .. (go_on and go_on[2] .. '\t' .. go_on[3] or '\t')
return table.concat(lines, '\n')
