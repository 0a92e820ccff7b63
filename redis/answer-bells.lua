-- answer-bells
-- Tells which of the orders that lanes wait for are final, whatever their bells say, and sees to it that the bells of those ring:
-- one may have been popped for all, or be lost with a connection, while somebody else waits on the same order.
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders to look at
-- Returns  {id, the order as JSON} for each that is final; '' where the order is forgotten

local answers = {}
for _, id in ipairs(ARGV) do
  local status = redis.call('HGET', key.order(id), 'status')
  if not status then
    answers[#answers + 1] = { id, '' }
  elseif status == 'ready' or status == 'cancelled' then
    local json = encode_order(read_order(id))
    answers[#answers + 1] = { id, json }
    if redis.call('EXISTS', key.bell(id)) == 0 then
      ring_bell(id, json)
    end
  end
end
return answers
