-- Finds orders by id, as they are now.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per order: order id
-- Returns  per order {'found', {id, position, eta seconds, the order as JSON}} | {'unknown'}

return each_item(1, 1, function(id)
  local order = describe_order(id)
  return order and { 'found', order } or { 'unknown' }
end)
