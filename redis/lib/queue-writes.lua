-- queue-writes
-- Owns what a run writes of its queues: at its end, a command a key for all that it is for.
-- Needs lib/queues.lua lib/try.lua

local write_queues
do

-- Moves the consumer group past entries whose orders were started for the first time. The lease of an order says which
-- barista has it: the group keeps no list of pending entries. The group is made where there is none: in a new Redis, or
-- one that lost it.
local function give_out(queue, replica)
  local read = {
    'XREADGROUP', 'GROUP', 'baristas', replica, 'COUNT', string.format('%d', queue.given), 'NOACK', 'STREAMS', queue.stream, '>',
  }
  local reply = redis.pcall(unpack(read))
  if reply and reply.err then
    redis.call('XGROUP', 'CREATE', queue.stream, 'baristas', '0', 'MKSTREAM')
    redis.call(unpack(read))
  end
end

local function write_queue(queue, replica)
  for _, list in ipairs({ queue.add_waiting, queue.remove_waiting, queue.remove_leases, queue.add_leases, queue.delete }) do
    if #list > 2 then
      try(unpack(list))
    end
  end
  if queue.given > 0 then
    give_out(queue, replica)
  end
end

function write_queues(replica)
  for _, queue in pairs(queues) do
    write_queue(queue, replica)
  end
end

end
