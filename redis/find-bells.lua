-- find-bells
-- Finds which bells ring among those that a lane listens to. It pops none: an answer that is lost on the way loses no
-- ring. One that is no list would keep the lane from listening: it is dropped, and counts as ringing.
-- Needs lib/keys.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the ids of the orders
-- Returns  the ids of those whose bell rings, separated by line breaks

local ringing = {}
for _, id in ipairs(ARGV) do
  local rings = redis.pcall('LLEN', key.bell(id))
  if type(rings) == 'table' then
    redis.call('DEL', key.bell(id))
  end
  if rings ~= 0 then
    ringing[#ringing + 1] = id
  end
end
return table.concat(ringing, '\n')
