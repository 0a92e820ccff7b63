-- find-orders
-- Finds orders by id, as they are now.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per order: its id
-- Returns  a line an order: found, status, the order as JSON with position and expected wait | unknown | damaged

local found = read_orders(ARGV, true)
local lines = {}
for i, id in ipairs(ARGV) do
  local order = found[id]
  if order then
    lines[i] = 'found\t' .. order.status .. '\t' .. describe_order(id, order)
  else
    lines[i] = order == false and 'unknown' or 'damaged'
  end
end
return table.concat(lines, '\n')
