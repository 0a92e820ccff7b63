-- take-bells
-- Takes every bell that rings among those that lanes listen to.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders
-- Returns  {id, the order as JSON} for each whose bell rang; '' where the order is forgotten

local answers = {}
for _, id in ipairs(ARGV) do
  local json = redis.call('LPOP', key.bell(id))
  if json == '' then
    -- Somebody had it before, and others may come after: it rings again.
    local order = read_order(id)
    json = order and encode_order(order) or ''
    if order then
      ring_bell(id, json)
    end
  end
  if json then
    answers[#answers + 1] = { id, json }
  end
end
return answers
