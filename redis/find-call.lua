-- find-call
-- Finds an order of a queue of machines that was given a label, by its number.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/labels.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  number
-- Returns  a line: found, label, the order as JSON | unknown | damaged

local id, label = find_labelled(ARGV[1], ARGV[2])
if not id then
  return 'unknown'
end
local order = read_orders({ id }, true)[id]
if order then
  return 'found\t' .. label .. '\t' .. encode_json(id, order)
end
return order == false and 'unknown' or 'damaged'
