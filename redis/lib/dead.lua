-- dead
-- Owns the list of dead letters: orders that failed, or whose leases ran out too often.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua
--
-- Invariants
-- - The list keeps the newest DEAD_KEPT. Their records are kept as those of other final orders.
-- - Orders that were dead from the start had no customer. Beyond the newest BURIED_KEPT, nothing of them is kept.

-- Ids of this run: those that died, that were dead from the start, and that were made again.
local died, buried, revived = {}, {}, {}
local is_dead, write_dead
do

local DEAD_KEPT, BURIED_KEPT = 10000, 1000
local KILLING = { machine_error = true, barista_timeout = true }

-- Whether an order is a dead letter. A reservation is none: it was never for anything.
function is_dead(order)
  return order.status == 'cancelled' and order.queue ~= '' and KILLING[order.reason] or false
end

-- (Most runs have none: their tables serve the next one.)
each_run(function()
  if #died + #revived > 0 then
    died, buried, revived = {}, {}, {}
  end
end)

local function add_ids(index, ids)
  local arguments = { 'ZADD', index }
  for _, id in ipairs(ids) do
    arguments[#arguments + 1], arguments[#arguments + 2] = now_text, id
  end
  try(unpack(arguments))
end

-- (To count is cheap, and the list is seldom full.)
local function trim_buried()
  local surplus = (try('ZCARD', key.buried) or 0) - BURIED_KEPT
  local popped = surplus > 0 and try('ZPOPMIN', key.buried, surplus) or {}
  for i = 1, #popped, 2 do
    local id = popped[i]
    local order = decode_order(try('GET', key.order(id)) or '')
    redis.call('UNLINK', key.order(id))
    try('ZREM', key.dead, id)
    if order then
      redis.call('UNLINK', key.idempotency_key(order.idempotency_key))
      try('ZREM', key.calls(order.queue), id)
    end
  end
end

function write_dead()
  if #died > 0 then
    add_ids(key.dead, died)
    try('ZREMRANGEBYRANK', key.dead, 0, -1 - DEAD_KEPT)
  end
  if #buried > 0 then
    add_ids(key.buried, buried)
    trim_buried()
  end
  if #revived > 0 then
    try('ZREM', key.dead, unpack(revived))
  end
end

end
