-- queues
-- Owns the queues of a run: their keys, and the commands on them that are written at its end.
-- Needs lib/keys.lua lib/try.lua
--
-- Invariants
-- - `waiting` decides which order is next. The stream's pending list is what is brewing, by replica.
-- - Each command is sent once a run and queue, with all that it is for.

local queues = {}
local function open_queue(name)
  local queue = queues[name]
  if not queue then
    local waiting, leases, stream = key.waiting(name), key.leases(name), key.queue(name)
    queue = {
      waiting = waiting, leases = leases, stream = stream,
      add_waiting = { 'ZADD', waiting }, remove_waiting = { 'ZREM', waiting },
      add_leases = { 'ZADD', leases }, remove_leases = { 'ZREM', leases },
      acknowledge = { 'XACK', stream, 'baristas' }, delete = { 'XDEL', stream },
      -- Entries to give out, by their places: those that never were, and others.
      fresh = {}, claimed = {},
    }
    queues[name] = queue
  end
  return queue
end

-- Calls a command of the consumer group, which is made where there is none: in a new Redis, or one that lost it.
local function call_group(stream, ...)
  local reply = redis.pcall(...)
  if not (reply and reply.err) then
    return reply
  end
  redis.call('XGROUP', 'CREATE', stream, 'baristas', '0', 'MKSTREAM')
  return redis.call(...)
end

-- Gives out entries that were never given out. In their turn they are the next ones of the stream.
local function give_fresh(queue, replica)
  local reply = call_group(
    queue.stream, 'XREADGROUP', 'GROUP', 'baristas', replica, 'COUNT', #queue.fresh, 'STREAMS', queue.stream, '>'
  )
  local read = reply and reply[1] and reply[1][2] or {}
  local wanted = {}
  for _, place in ipairs(queue.fresh) do
    wanted[place .. '-0'] = place
  end
  for _, entry in ipairs(read) do
    if wanted[entry[1]] then
      wanted[entry[1]] = nil
    elseif not redis.call('ZSCORE', queue.leases, entry[2][2]) then
      -- Others were chosen out of their turn: this one is queued still.
      redis.call('XACK', queue.stream, 'baristas', entry[1])
    end
  end
  for _, place in pairs(wanted) do
    queue.claimed[#queue.claimed + 1] = place
  end
end

local function write_queue(queue, replica)
  for _, list in ipairs({ queue.remove_waiting, queue.add_waiting, queue.remove_leases, queue.add_leases }) do
    if #list > 2 then
      try(unpack(list))
    end
  end
  if #queue.acknowledge > 3 then
    try(unpack(queue.acknowledge))
  end
  if #queue.delete > 2 then
    try(unpack(queue.delete))
  end
  if #queue.fresh > 0 then
    give_fresh(queue, replica)
  end
  if #queue.claimed > 0 then
    local claim = { 'XCLAIM', queue.stream, 'baristas', replica, 0, unpack(queue.claimed) }
    claim[#claim + 1] = 'FORCE'
    claim[#claim + 1] = 'JUSTID'
    call_group(queue.stream, unpack(claim))
  end
end

local function write_queues(replica)
  for _, queue in pairs(queues) do
    write_queue(queue, replica)
  end
end

-- Queues that a barista waits at, and for how long they may be woken, ms.
local idle_ms = {}
local IDLE_SLACK_MS = 5000
local LONGEST_IDLE_MS = 30000

local function note_idle(queue, ms)
  idle_ms[queue] = math.max(idle_ms[queue] or 0, ms)
end

local function write_idle()
  for queue, ms in pairs(idle_ms) do
    redis.call('SET', key.idle(queue), '1', 'PX', math.min(ms, LONGEST_IDLE_MS) + IDLE_SLACK_MS)
  end
end
