-- Tells which of a lane's orders are final, whatever their bells say, and rings again the bells that the lane has popped:
-- somebody else may wait on the same order.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  how many bells were popped
-- ARGV[…]  the ids of the popped bells, then the ids of all orders to look at
-- Returns  {id, fields} for each that is final; the fields are empty where the order is forgotten

local popped = tonumber(ARGV[1])
local answers = {}
for at = popped + 2, #ARGV do
  local id = ARGV[at]
  local status = redis.call('HGET', key.order(id), 'status')
  if not status or status == 'ready' or status == 'cancelled' then
    answers[#answers + 1] = { id, redis.call('HGETALL', key.order(id)) }
  end
end
for at = 2, popped + 1 do
  local status = redis.call('HGET', key.order(ARGV[at]), 'status')
  -- A bell of an order that is not final would be popped again at once, without end.
  if status == 'ready' or status == 'cancelled' then
    ring_bell(ARGV[at])
  end
end
return answers
