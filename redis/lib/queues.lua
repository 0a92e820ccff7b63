-- queues
-- Owns the queues of a run: their keys, and the commands on them that are gathered.
-- Needs lib/keys.lua lib/reads.lua
--
-- Invariants
-- - `waiting` decides which order is next, and `leases` which barista has which order.
-- - The consumer group shows how far the stream is given out.

local queues
-- Queues that a barista waits at, and for how long they may be woken, ms.
local idle_ms

each_run(function()
  queues, idle_ms = {}, {}
end)

local function open_queue(name)
  local queue = queues[name]
  if not queue then
    local waiting, leases, stream = key.waiting(name), key.leases(name), key.queue(name)
    queue = {
      name = name, waiting = waiting, leases = leases, stream = stream,
      add_waiting = { 'ZADD', waiting }, remove_waiting = { 'ZREM', waiting },
      add_leases = { 'ZADD', leases }, remove_leases = { 'ZREM', leases },
      delete = { 'XDEL', stream },
      -- How many entries are given out.
      given = 0,
      -- Whether an operation has added an entry: those of the usual way are written first, so they would take its
      -- place.
      has_new = false,
      -- States that an order may come into: the keys that this needs were looked at.
      is_sound = {},
    }
    queues[name] = queue
  end
  return queue
end

-- Throws where an order that comes into this state needs a key of a wrong type. A `placed` order was in no queue
-- before.
local function check_queue(name, state)
  local queue = open_queue(name)
  if queue.is_sound[state] then
    return
  end
  if state == 'brewing' then
    check_type(queue.leases, 'zset')
  else
    check_type(queue.waiting, 'zset')
  end
  if state ~= 'queued' then
    check_type(queue.stream, 'stream')
  end
  queue.is_sound[state] = true
end

local IDLE_SLACK_MS = 5000
local MAX_IDLE_MS = 30000

local function note_idle(queue, ms)
  idle_ms[queue] = math.max(idle_ms[queue] or 0, ms)
end

local function write_idle()
  for queue, ms in pairs(idle_ms) do
    redis.call('SET', key.idle(queue), '1', 'PX', math.min(ms, MAX_IDLE_MS) + IDLE_SLACK_MS)
  end
end
