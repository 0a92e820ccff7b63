-- answer-bells
-- Tells which of the orders that lanes wait for are final, whatever their bells say, and sees to it that the bells of those ring:
-- one may have been popped for all, or be lost with a connection, while another customer waits on the same order.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders to look at
-- Returns  {id, the order as JSON} for each that is final; {id, ''} where the order is forgotten, {id, '', 'damaged'} where its
--          record is damaged

local answers = {}
for _, id in ipairs(ARGV) do
  local order, fault = read_order(id)
  if fault == NONE then
    answers[#answers + 1] = { id, '' }
  elseif fault then
    set_aside(id)
    answers[#answers + 1] = { id, '', 'damaged' }
    keep_ringing(id, '')
  elseif order.status == 'ready' or order.status == 'cancelled' then
    local json = encode_order(order)
    answers[#answers + 1] = { id, json }
    keep_ringing(id, json)
  else
    drop_false_bell(id)
  end
end
return answers
