-- drop-claim
-- Drops claims whose barista was told that there is no answer: an order that such a claim got all the same goes back.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per claim: claim id
-- Returns  per claim {'released', id of the order} | {'empty'}

return each_item(1, 1, function(claim)
  local id = redis.call('HGET', key.claims, claim)
  local order = id and read_order(id)
  if not order or order.status ~= 'brewing' or order.claim ~= claim then
    redis.call('HDEL', key.claims, claim)
    return { 'empty' }
  end
  release_order(id, order)
  return { 'released', id }
end)
