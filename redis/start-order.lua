-- Starts orders: each claim gets the order whose lease ran out first, else the oldest queued one, under a new lease.
-- A claim made before gets the same order again. An order whose lease ran out too often is cancelled on the way.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  lease, ms
-- ARGV[2]  how many leases of one order may run out before it is cancelled
-- ARGV[3]  how long a final order is kept, ms
-- ARGV[…]  per claim: claim id (made by the caller), barista, queue
-- Returns  per claim {'started', id, fields} | {'empty'}

local lease_ms = tonumber(ARGV[1])
local max_attempts = tonumber(ARGV[2])
local retention_ms = tonumber(ARGV[3])
local empty = {}

-- The order whose lease ran out first, its stream entry handed to this barista; nil where none did.
local function take_expired(queue, barista)
  while true do
    local id = redis.call('ZRANGEBYSCORE', key.leases(queue), '-inf', now_ms, 'LIMIT', 0, 1)[1]
    if not id then
      return nil
    end
    if redis.call('HINCRBY', key.order(id), 'expiries', 1) < max_attempts then
      redis.call('XCLAIM', key.queue(queue), 'baristas', barista, 0, redis.call('HGET', key.order(id), 'entry'), 'JUSTID')
      return id
    end
    cancel_order(id, queue, 'barista_timeout', retention_ms)
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

-- The oldest queued order. One that was released still stands in the group's pending list; a fresh one does not.
local function take_queued(queue, barista)
  local head = redis.call('ZRANGE', key.waiting(queue), 0, 0)[1]
  if not head then
    return nil
  end
  local entry, attempts = unpack(redis.call('HMGET', key.order(head), 'entry', 'attempts'))
  if attempts == '0' then
    return read_group(queue, barista)
  end
  redis.call('XCLAIM', key.queue(queue), 'baristas', barista, 0, entry, 'JUSTID')
  return head
end

local function start(claim, barista, queue)
  local claimed = redis.call('GET', key.claim(claim))
  if claimed then
    local fields = redis.call('HGETALL', key.order(claimed))
    local order = read_order(claimed, 'claim')
    return order.claim == claim and order.status == 'brewing' and { 'started', claimed, fields } or { 'empty' }
  end
  local id = not empty[queue] and (take_expired(queue, barista) or take_queued(queue, barista))
  if not id then
    empty[queue] = true
    return { 'empty' }
  end

  redis.call('ZREM', key.waiting(queue), id)
  redis.call('ZADD', key.leases(queue), now_ms + lease_ms, id)
  redis.call('SET', key.claim(claim), id, 'PX', lease_ms)
  redis.call('HINCRBY', key.order(id), 'attempts', 1)
  redis.call('HSET', key.order(id), 'status', 'brewing', 'barista', barista, 'started_at', now_ms, 'claim', claim)
  return { 'started', id, append_event(id, 'started') }
end

return each_item(4, 3, start)
