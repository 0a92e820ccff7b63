-- Starts orders: each claim gets the order whose lease ran out first, else the oldest queued one, under a new lease.
-- A claim made before gets the same order again. An order whose lease ran out too often is cancelled on the way.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  lease, ms
-- ARGV[2]  how many leases of one order may run out before it is cancelled
-- ARGV[3]  how long a final order is kept, ms
-- ARGV[…]  per claim: claim id (made by the caller), barista, queue
-- Returns  per claim {'started', id, the order as JSON} | {'empty'}

local lease_ms = tonumber(ARGV[1])
local max_attempts = tonumber(ARGV[2])
local retention_ms = tonumber(ARGV[3])
-- What this run has seen of each queue: within a run no order comes, and no lease runs out.
local empty, unexpired = {}, {}

-- The order whose lease ran out first, its stream entry handed to this barista, and how often it was started; nil where none did.
local function take_expired(queue, barista)
  while not unexpired[queue] do
    local id = redis.call('ZRANGEBYSCORE', key.leases(queue), '-inf', now_ms, 'LIMIT', 0, 1)[1]
    if not id then
      unexpired[queue] = true
      return nil
    end
    local order = read_order(id, 'attempts', 'claim', 'once')
    if redis.call('HINCRBY', key.order(id), 'expiries', 1) < max_attempts then
      redis.call('XCLAIM', key.queue(queue), 'baristas', barista, 0, order.entry, 'JUSTID')
      return id, order.attempts
    end
    cancel_order(id, order, 'barista_timeout', retention_ms)
  end
end

-- The next entry of the stream that nobody was given yet. The group is made when it is first needed: a new Redis has none.
local function read_group(queue, barista)
  local reply = redis.pcall('XREADGROUP', 'GROUP', 'baristas', barista, 'COUNT', 1, 'STREAMS', key.queue(queue), '>')
  if reply and reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then
      error(reply)
    end
    redis.call('XGROUP', 'CREATE', key.queue(queue), 'baristas', '0', 'MKSTREAM')
    return read_group(queue, barista)
  end
  local stream = reply and reply[1]
  return stream and stream[2][1][2][2]
end

-- The oldest queued order, off the queue, and how often it was started.
-- One that was released still stands in the group's pending list; a fresh one does not.
local function take_queued(queue, barista)
  local head, place = unpack(redis.call('ZPOPMIN', key.waiting(queue)))
  if not head then
    return nil
  end
  local entry, attempts = unpack(redis.call('HMGET', key.order(head), 'entry', 'attempts'))
  if attempts ~= '0' then
    redis.call('XCLAIM', key.queue(queue), 'baristas', barista, 0, entry, 'JUSTID')
    return head, attempts
  end
  local id = read_group(queue, barista)
  if id ~= head then
    -- A clock set back over midnight: places and entries disagree, and the stream decides.
    redis.call('ZADD', key.waiting(queue), place, head)
    redis.call('ZREM', key.waiting(queue), id or '')
  end
  return id, attempts
end

local function take(queue, barista)
  local id, attempts = take_expired(queue, barista)
  if id then
    return id, attempts
  end
  return take_queued(queue, barista)
end

local function start(claim, barista, queue)
  local claimed = redis.call('GET', key.claim(claim))
  if claimed then
    local order = read_order(claimed, 'claim')
    local is_theirs = order.claim == claim and order.status == 'brewing'
    return is_theirs and { 'started', claimed, encode_order(claimed) } or { 'empty' }
  end
  if empty[queue] then
    return { 'empty' }
  end
  local id, attempts = take(queue, barista)
  if not id then
    empty[queue] = true
    return { 'empty' }
  end

  redis.call('ZADD', key.leases(queue), now_ms + lease_ms, id)
  redis.call('SET', key.claim(claim), id, 'PX', lease_ms)
  redis.call(
    'HSET', key.order(id), 'status', 'brewing', 'barista', barista, 'started_at', now_ms, 'claim', claim, 'attempts', attempts + 1
  )
  return { 'started', id, append_event(id, 'started') }
end

return each_item(4, 3, start)
