-- find-order
-- Finds orders by id, as they are now.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per order: order id
-- Returns  per order {'found', id, status, the order as JSON, with position and expected wait} | {'unknown'} | {'damaged'}

return each_item(1, 1, function(id)
  local order, fault = read_order(id, true)
  return order and { 'found', id, order.status, describe_order(id, order) } or refuse(id, order, fault)
end)
