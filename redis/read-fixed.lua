-- read-fixed
-- Reads what never changes of orders, for readers of events.
-- Needs lib/keys.lua lib/order.lua lib/queries.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders
-- Returns  a line an order: JSON members; empty where it is not kept, or damaged

local found = read_orders(ARGV)
local lines = {}
for i, id in ipairs(ARGV) do
  lines[i] = found[id] and found[id].fixed or ''
end
return table.concat(lines, '\n')
