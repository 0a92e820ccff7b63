-- take-bells
-- Takes every bell that rings among those that lanes listen to.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders
-- Returns  {id, the order as JSON} for each whose bell rang; {id, ''} where the order is forgotten, {id, '', 'damaged'} where its
--          record is damaged

local answers = {}
for _, id in ipairs(ARGV) do
  local json = try('LPOP', key.bell(id))
  local kind
  if json == '' then
    -- Another customer had it before, and more may come: it rings again.
    local order, fault = read_order(id)
    local is_final = order and (order.status == 'ready' or order.status == 'cancelled')
    kind = fault and fault ~= NONE and 'damaged' or nil
    if is_final or kind then
      json = is_final and encode_order(order) or ''
      ring_bell(id, json)
    elseif order then
      -- It was damaged when this rang, and has been put right.
      json = nil
    end
  end
  if json then
    answers[#answers + 1] = { id, json, kind }
  end
end
return answers
