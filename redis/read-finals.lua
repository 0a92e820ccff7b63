-- read-finals
-- Reads which of the orders that lanes wait for are final, and sees to it that the bells of those ring: one may have
-- been popped for all, or be lost with a connection, while another customer waits for the same order.
-- Needs lib/keys.lua lib/order.lua lib/queries.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders
-- Returns  a line for each that is over: final, id, the order as JSON | forgotten, id | damaged, id

local found = read_orders(ARGV)
local lines = {}
for _, id in ipairs(ARGV) do
  local order = found[id]
  if order and FINAL[order.status] then
    lines[#lines + 1] = 'final\t' .. id .. '\t' .. encode_json(id, order)
    if order.holder == '*' then
      keep_ringing(id)
    end
  elseif not order then
    if order == nil then
      keep_ringing(id)
    end
    lines[#lines + 1] = (order == false and 'forgotten\t' or 'damaged\t') .. id
  end
end
return table.concat(lines, '\n')
