-- start-order
-- Starts orders: each claim gets the order it names, or else the one whose lease ran out first, or else the oldest queued one,
-- under a new lease.
-- A claim made before gets the same order again. An order whose lease ran out too often is cancelled on the way.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  lease, ms
-- ARGV[2]  how many leases of one order may run out before it is cancelled
-- ARGV[3]  how long a final order is kept, ms
-- ARGV[…]  per claim: claim id (made by the caller), barista, queue, order id ('' is the next one)
-- Returns  per claim {'started', id, the order as JSON} | {'empty'} | {'unknown'} | {'damaged'}
--          | {'conflict', status, barista}

local WIDTH = 4
local FIRST = 4
local lease_ms = ARGV[1]
local deadline = string.format('%.0f', now_ms + lease_ms)
local max_attempts = tonumber(ARGV[2])
local retention_ms = ARGV[3]
-- What is known of each claim of this run: the id of its order, SPENT, or nothing.
local SPENT = ''
local claimed = {}
-- What this run has seen of each queue: within a run no order comes, and no lease runs out.
local unexpired = {}
-- The heads of each queue, oldest first, taken off `waiting` for this run: id, place, id, place …
local heads = {}

-- Calls a command of the consumer group, which is made when it is first needed: a new Redis has none.
local function call_group(queue, ...)
  local reply = redis.pcall(...)
  if not (reply and reply.err) then
    return reply
  end
  if not string.find(reply.err, 'NOGROUP', 1, true) then
    error(reply)
  end
  redis.call('XGROUP', 'CREATE', key.queue(queue), 'baristas', '0', 'MKSTREAM')
  return redis.call(...)
end

-- Hands the stream entry of an order to this barista. One that is gone (with its stream) is made anew: it stands behind all
-- others, so the order is claimed from now on, and not read.
local function hand_over(id, order, barista)
  local queue = order.queue
  local function claim()
    return call_group(queue, 'XCLAIM', key.queue(queue), 'baristas', barista, 0, order.entry, 'FORCE', 'JUSTID')
  end
  if #claim() == 0 then
    write_order(id, order, { entry = redis.call('XADD', key.queue(queue), '*', 'order_id', id), read = '1' })
    claim()
  end
end

-- The order whose lease ran out first, its stream entry handed to this barista; nil where none did.
local function take_expired(queue, barista)
  while not unexpired[queue] do
    local id = redis.call('ZRANGEBYSCORE', key.leases(queue), '-inf', now_ms, 'LIMIT', 0, 1)[1]
    if not id then
      unexpired[queue] = true
      return nil
    end
    local order, fault = read_order(id)
    if not order or order.status ~= 'brewing' or order.queue ~= queue then
      drop_from(key.leases(queue), id, fault)
    elseif (order.expiries or 0) + 1 < max_attempts then
      hand_over(id, order, barista)
      redis.call('HINCRBY', key.order(id), 'expiries', 1)
      -- Not the oldest lease that ran out any more, for those who come after in this run.
      redis.call('ZADD', key.leases(queue), deadline, id)
      return id, order
    else
      redis.call('HINCRBY', key.order(id), 'expiries', 1)
      cancel_order(id, order, 'barista_timeout', retention_ms)
      write_gathered()
    end
  end
end

-- The next entry of the stream that was never given out: its order's id, and its own.
local function read_group(queue, barista)
  local reply = call_group(
    queue, 'XREADGROUP', 'GROUP', 'baristas', barista, 'COUNT', 1, 'STREAMS', key.queue(queue), '>'
  )
  local stream = reply and reply[1]
  if stream then
    return stream[2][1][2][2], stream[2][1][1]
  end
end

-- Whether the group has read the entry of a queued order before: it was released, or read out of its turn, or made anew.
local function was_read(order)
  return order.attempts ~= '0' or order.read
end

-- The next entry that is queued, which `head` should be: its id, and the order where it is another. One that was chosen was given
-- out before it is read here: it stays with its barista. What stands for no order of this queue is dropped.
local function read_queued(queue, barista, head)
  while true do
    local id, entry = read_group(queue, barista)
    if not entry or id == head then
      return id
    end
    local order, fault = read_order(id or '')
    if fault and fault ~= NONE then
      set_aside(id)
    end
    if not order or order.entry ~= entry or order.queue ~= queue then
      drop_entry(queue, entry)
    elseif order.status == 'brewing' then
      redis.call('XCLAIM', key.queue(queue), 'baristas', order.barista, 0, entry, 'JUSTID')
    elseif order.status ~= 'queued' then
      drop_entry(queue, entry)
    elseif not was_read(order) then
      return id, order
    end
  end
end

-- The oldest id in `waiting`. It stays the next one until `pass_head`: a start that fails loses no order.
local function next_head(queue)
  local taken = heads[queue]
  if not taken or (taken.at > #taken.ids and not taken.is_all) then
    local claims = (#ARGV - FIRST + 1) / WIDTH
    local ids = redis.call('ZPOPMIN', key.waiting(queue), claims)
    taken = { at = 1, ids = ids, is_all = #ids < 2 * claims }
    heads[queue] = taken
  end
  return taken.ids[taken.at]
end

local function pass_head(queue)
  heads[queue].at = heads[queue].at + 2
end

-- Those whom no claim of this run has got so far.
local function put_heads_back()
  for queue, taken in pairs(heads) do
    for at = taken.at, #taken.ids, 2 do
      gather('ZADD', key.waiting(queue), taken.ids[at + 1], taken.ids[at])
    end
    heads[queue] = nil
  end
  write_gathered()
end

-- Whether the entry of an order stands in the stream, and is yet to be read.
local function is_unread(queue, entry, barista)
  local is_pending = #redis.call('XCLAIM', key.queue(queue), 'baristas', barista, 0, entry, 'JUSTID') > 0
  return not is_pending and #redis.call('XRANGE', key.queue(queue), entry, entry) > 0
end

-- Takes a fresh head, by reading its entry. Returns its id, or another that the stream has before it, with its order.
local function read_head(queue, barista, head, order)
  local id, other = read_queued(queue, barista, head)
  if id == head then
    pass_head(queue)
    return head, order
  end
  if id and is_unread(queue, order.entry, barista) then
    -- A clock set back over midnight: places and entries disagree, and the stream decides.
    put_heads_back()
    redis.call('ZREM', key.waiting(queue), id)
    return id, other
  end
  -- The stream has lost the head's entry, or given it out before. What came instead of it keeps its place, and is claimed there.
  if id then
    write_order(id, other, { read = '1' })
  end
  hand_over(head, order, barista)
  pass_head(queue)
  return head, order
end

-- The oldest queued order, off the queue. What the index names too much is passed over.
-- One that was read before still stands in the group's pending list; a fresh one does not.
local function take_queued(queue, barista)
  while true do
    local head = next_head(queue)
    if not head then
      return nil
    end
    local order, fault = read_order(head)
    if not order or order.status ~= 'queued' or order.queue ~= queue then
      pass_head(queue)
      if fault and fault ~= NONE then
        set_aside(head)
      end
    elseif was_read(order) then
      hand_over(head, order, barista)
      pass_head(queue)
      return head, order
    else
      return read_head(queue, barista, head, order)
    end
  end
end

-- The order that the barista has chosen: queued, or brewing under a lease that ran out. Else nil, and the refusal.
-- The lease of one that this run has started is not written yet.
local function take_chosen(id, barista)
  local order, fault = read_order(id)
  if not order or (order.status ~= 'queued' and order.status ~= 'brewing') then
    return nil, refuse(id, order, fault)
  end
  local deadline_ms = redis.call('ZSCORE', key.leases(order.queue), id)
  if order.status == 'queued' then
    hand_over(id, order, barista)
    put_heads_back()
    redis.call('ZREM', key.waiting(order.queue), id)
    return id, order
  end
  if not deadline_ms or tonumber(deadline_ms) > now_ms then
    return nil, refuse(id, order)
  end
  if (order.expiries or 0) + 1 >= max_attempts then
    redis.call('HINCRBY', key.order(id), 'expiries', 1)
    cancel_order(id, order, 'barista_timeout', retention_ms)
    write_gathered()
    return nil, refuse(id, order)
  end
  hand_over(id, order, barista)
  redis.call('HINCRBY', key.order(id), 'expiries', 1)
  redis.call('ZADD', key.leases(order.queue), deadline, id)
  return id, order
end

local function take(queue, barista)
  local id, order = take_expired(queue, barista)
  if id then
    return id, order
  end
  return take_queued(queue, barista)
end

local function read_claims()
  local claims = {}
  for at = FIRST, #ARGV, WIDTH do
    claims[#claims + 1] = ARGV[at]
  end
  local ids = redis.call('HMGET', key.claims, unpack(claims))
  local now_spent = redis.call('SMISMEMBER', spent_claims(0), unpack(claims))
  local spent_before = redis.call('SMISMEMBER', spent_claims(1), unpack(claims))
  for i, claim in ipairs(claims) do
    local is_spent = now_spent[i] == 1 or spent_before[i] == 1
    claimed[claim] = ids[i] or is_spent and SPENT or nil
  end
end

-- The reply to a claim made before: its order, while that is brewing under it. Nil where the claim is free, or free again.
local function repeat_start(claim)
  local id = claimed[claim]
  if id == SPENT then
    return { 'empty' }
  end
  local order, fault
  if id then
    order, fault = read_order(id)
  end
  if fault and fault ~= NONE then
    set_aside(id)
  end
  if not order or order.claim ~= claim then
    return nil
  end
  if order.status ~= 'brewing' then
    return { 'empty' }
  end
  local deadline_ms = redis.call('ZSCORE', key.leases(order.queue), id)
  -- No deadline: this run has started it, and writes that at its end.
  if not deadline_ms or tonumber(deadline_ms) > now_ms then
    return { 'started', id, encode_order(order) }
  end
  -- The lease is over: whoever comes first gets the order.
  redis.call('HDEL', key.claims, claim)
  redis.call('HDEL', key.order(id), 'claim')
end

local function start(claim, barista, queue, chosen)
  local reply = repeat_start(claim)
  if reply then
    return reply
  end
  local id, order
  if chosen == '' then
    id, order = take(queue, barista)
  else
    id, order = take_chosen(chosen, barista)
  end
  if not id then
    return order or { 'empty' }
  end

  gather('ZADD', key.leases(order.queue), deadline, id)
  if order.claim then
    redis.call('HDEL', key.claims, order.claim)
  end
  gather('HSET', key.claims, claim, id)
  claimed[claim] = id
  local attempts = string.format('%.0f', order.attempts + 1)
  write_order(id, order, { status = 'brewing', barista = barista, started_at = now, claim = claim, attempts = attempts })
  return { 'started', id, append_event(id, 'started', order) }
end

read_claims()
local replies = each_item(FIRST, WIDTH, start)
put_heads_back()
return replies
