-- changes
-- Owns what a run reads of orders and what it changes: all is changed in memory first, and written once, at the end.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/events.lua lib/waits.lua lib/damage.lua lib/claims.lua lib/wake.lua
--
-- Invariants
-- - An operation reads and checks first. Its changes come last, and none of them can fail.
-- - What is written follows from each order as it was stored and as it is now: a key gets one command a run.
-- - What an operation adds to a key, it has checked the type of. A removal may fail: what a key names too much is dropped where it
--   is met.
-- - A damaged order fails the operations that name it, and is set aside at the end of the run.
-- - `waiting` decides which order is next. The stream's pending list is what is brewing, by replica.

local DAY_PLACES = 1000000000 -- numbers start anew each day, places in the queue do not
local SHARED = '*' -- the holder of an order that several replicas' customers wait for
local DAMAGED = { err = 'DAMAGED the order can not be read' }

-- Strings by key, as stored; false where there is none, or a value of another type.
local strings = {}

local order_keys = {}
local function order_key(id)
  local name = order_keys[id]
  if not name then
    name = key.order(id)
    order_keys[id] = name
  end
  return name
end

local function prefetch(names)
  if #names == 0 then
    return
  end
  for i, value in ipairs(redis.call('MGET', unpack(names))) do
    strings[names[i]] = value
  end
end

local function read_string(name)
  if strings[name] == nil then
    prefetch({ name })
  end
  return strings[name]
end

-- Throws unless the key is free or holds this type. Asked once a run and key.
local types = {}
local function check_type(name, wanted)
  local found = types[name]
  if not found then
    found = redis.call('TYPE', name).ok
    types[name] = found
  end
  if found ~= wanted and found ~= 'none' then
    error({ err = 'WRONGTYPE a key of the shop holds a ' .. found .. ' where a ' .. wanted .. ' belongs' })
  end
end

-- A queue: its keys, and the commands on them that are written at the end.
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
      fresh = {}, claimed = {},
    }
    queues[name] = queue
  end
  return queue
end

-- Orders by id: as stored, and as they are now. False where there is none.
local stored = {}
local orders = {}

-- Ids of damaged orders that this run has met.
local damaged = {}

-- The order; false where there is none. Throws DAMAGED for a record that can't be read.
local function find_order(id)
  local order = orders[id]
  if order == nil then
    local record = read_string(order_key(id))
    order = record and decode_order(record)
    if not order then
      order = (record or redis.call('EXISTS', order_key(id)) == 1) and DAMAGED
      damaged[#damaged + 1] = order and id or nil
    end
    stored[id] = order
    orders[id] = order
  end
  if order == DAMAGED then
    error(DAMAGED)
  end
  return order
end

-- Whether anything is kept under an id that was just made.
local function is_kept(id)
  return orders[id] or read_string(order_key(id)) ~= false
end

-- What else is written at the end: arguments by command and key, in the order in which they came.
local batches = {}
local batch_of = {}
local function gather(command, name, value, more)
  local by_name = batch_of[command]
  if not by_name then
    by_name = {}
    batch_of[command] = by_name
  end
  local values = by_name[name]
  if not values then
    values = { command, name }
    by_name[name] = values
    batches[#batches + 1] = values
  end
  values[#values + 1] = value
  values[#values + 1] = more
end

-- How many operations this run has.
local run_size = 0
local changed = {}
local is_changed = {}
-- Index of the order's last event of this run.
local event_of = {}
local members_of_event = {}
-- How many orders more are open than were stored; by customer too.
local opened = 0
local opened_by = {}
-- Ids that this run has put into a queue, by queue.
local queued_now = {}

local OPEN = { reserved = true, queued = true, brewing = true }
local function is_open(order)
  return order and OPEN[order.status] or false
end

-- Whether it can be started: queued, and not due later.
local function is_waiting(order)
  return order and order.status == 'queued' and order.due == '' or false
end

-- What is known of claims: the id of its order, SPENT, or false.
local SPENT = 'spent'
local claims = {}
local function note_claim(id, was, order)
  if was and was.claim ~= '' and was.claim ~= order.claim then
    claims[was.claim] = is_final(order) and SPENT or false
  end
  if order.claim ~= '' then
    claims[order.claim] = id
  end
end

-- Throws where the order is to be added to a key of a wrong type.
local function check_queue(order, was)
  local queue = open_queue(order.queue)
  local is_new = not was or was.status == 'reserved'
  if is_waiting(order) and not is_waiting(was) then
    check_type(queue.waiting, 'zset')
  end
  if order.due ~= '' then
    check_type(key.delayed(order.queue), 'zset')
  end
  if order.deadline then
    check_type(queue.leases, 'zset')
  end
  if is_new or order.attempts ~= was.attempts then
    check_type(queue.stream, 'stream')
  end
end

-- Throws for a change that needs a key of a wrong type. Returns the id of the order's customer.
local function check_keys(order, was)
  if is_open(order) and order.queue ~= '' then
    check_queue(order, was)
  end
  if order.status == 'reserved' then
    check_type(key.reserved, 'zset')
  end
  if not was then
    check_type(key.orders, 'zset')
  end
  if order.claim ~= '' and not (was and was.claim == order.claim) then
    check_type(key.claims, 'hash')
    check_type(spent_claims(0), 'set')
  end
  if order.customer == '' then
    return nil
  end
  local customer_id = customer_of(order)
  if not was then
    check_type(key.open_of(customer_id), 'set')
    check_type(key.orders_of(customer_id), 'zset')
  end
  return customer_id
end

-- Makes `order` what is kept under the id. `verb` is its event; nil where nobody needs to hear of it.
local function put_order(id, order, verb)
  local was = orders[id]
  local customer_id = check_keys(order, was)
  if was == nil then
    stored[id] = false
  end
  if not is_changed[id] then
    is_changed[id] = true
    changed[#changed + 1] = id
  end
  orders[id] = order
  if order.claim ~= '' or (was and was.claim ~= '') then
    note_claim(id, was, order)
  end
  if is_open(order) ~= is_open(was) then
    local step = is_open(order) and 1 or -1
    opened = opened + step
    if customer_id then
      opened_by[customer_id] = (opened_by[customer_id] or 0) + step
    end
  end
  if is_waiting(order) and not is_waiting(was) then
    local ids = queued_now[order.queue] or {}
    queued_now[order.queue] = ids
    ids[#ids + 1] = id
  end
  if verb then
    local members = encode_changes(order)
    members_of_event[id] = members
    event_of[id] = add_event(verb, id, members)
  end
end

-- An order as JSON; what its event holds is not encoded again.
local function show_order(id, order)
  local members = members_of_event[id]
  if not members then
    return encode_json(id, order)
  end
  return '{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members
    .. (order.result ~= '' and ',"result":' .. order.result .. '}' or '}')
end

-- Writes: each order ------------------------------------------------------------------------------------------------------

local MOST_PLACE = 2 ^ 53 - 1

-- The entry's id is the order's place. Where the stream is past it (a clock set back), the order gets the next place there is.
-- A stream that takes no entry at all (its last id is the greatest) keeps no order from its place: `waiting` decides.
local function append_to_queue(id, order)
  local name = key.queue(order.queue)
  if try('XADD', name, order.place .. '-0', 'order_id', id) then
    return
  end
  local info = redis.call('XINFO', 'STREAM', name)
  for i = 1, #info, 2 do
    local next_place = info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) + 1
    if next_place and next_place <= MOST_PLACE then
      order.place = string.format('%.0f', next_place)
      try('XADD', name, order.place .. '-0', 'order_id', id)
    end
  end
end

local function write_queue(id, was, order)
  local queue = open_queue(order.queue)
  local before, after = was and was.status, order.status
  local was_in, is_in = before == 'queued' or before == 'brewing', after == 'queued' or after == 'brewing'
  if is_in and not was_in then
    append_to_queue(id, order)
    gather('SADD', key.queues, order.queue)
  elseif was_in and not is_in then
    local entry = order.place .. '-0'
    queue.acknowledge[#queue.acknowledge + 1] = entry
    queue.delete[#queue.delete + 1] = entry
  end
  if is_waiting(order) ~= is_waiting(was) then
    if is_waiting(order) then
      local list = queue.add_waiting
      list[#list + 1] = order.place
      list[#list + 1] = id
    else
      queue.remove_waiting[#queue.remove_waiting + 1] = id
    end
  end
  if order.due ~= '' then
    gather('ZADD', key.delayed(order.queue), order.due, id)
  elseif was and was.due ~= '' then
    gather('ZREM', key.delayed(order.queue), id)
  end
  if after ~= before then
    if before == 'brewing' then
      queue.remove_leases[#queue.remove_leases + 1] = id
      if after == 'queued' then
        queue.acknowledge[#queue.acknowledge + 1] = order.place .. '-0'
      end
    end
  end
  if after == 'brewing' then
    if order.deadline then
      local list = queue.add_leases
      list[#list + 1] = order.deadline
      list[#list + 1] = id
    end
    if not was or was.attempts ~= order.attempts then
      local given = order.attempts == '1' and queue.fresh or queue.claimed
      given[#given + 1] = order.place .. '-0'
    end
  end
end

local function write_reserved(id, was, order)
  if order.status == 'reserved' then
    if order.deadline then
      gather('ZADD', key.reserved, order.deadline, id)
    end
  elseif was and was.status == 'reserved' then
    gather('ZREM', key.reserved, id)
  end
end

-- A claim is its order's while that is brewing under it. Of a final order it is remembered for CLAIM_SPENT_MS at least: asked
-- again by a reply that was lost on the way, it must not start another one.
-- (One that moves to another order is dropped first.)
local dropped_claims, made_claims = { 'HDEL', key.claims }, { 'HSET', key.claims }
local function write_claim(id, was, order)
  local before = was and was.claim or ''
  if before ~= '' and before ~= order.claim then
    dropped_claims[#dropped_claims + 1] = before
    if claims[before] == SPENT then
      gather('SADD', spent_claims(0), before)
    end
  end
  if order.claim ~= '' and before ~= order.claim then
    made_claims[#made_claims + 1] = order.claim
    made_claims[#made_claims + 1] = id
  end
end

-- A customer's index forgets as it grows: what retention has removed, a few entries each time.
local function index_for_customer(id, customer_id, retention_ms)
  local index = key.orders_of(customer_id)
  redis.call('ZADD', index, now_text, id)
  redis.call('PEXPIRE', index, 2 * retention_ms)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now_ms - retention_ms, 'LIMIT', 0, 10)) do
    if redis.call('EXISTS', key.order(old)) == 0 then
      redis.call('ZREM', index, old)
    end
  end
end

local function write_customer(id, was, order, retention_ms)
  local customer_id = customer_of(order)
  if is_open(order) and not is_open(was) then
    gather('SADD', key.open_of(customer_id), id)
  elseif is_open(was) and is_final(order) then
    gather('SREM', key.open_of(customer_id), id)
  end
  if not was then
    index_for_customer(id, customer_id, retention_ms)
  end
end

-- Writes: the run ---------------------------------------------------------------------------------------------------------

local function write_records(replica, retention_ms)
  local open_records = {}
  for _, id in ipairs(changed) do
    local was, order = stored[id], orders[id]
    if order.queue ~= '' then
      write_queue(id, was, order)
    end
    if order.status == 'reserved' or (was and was.status == 'reserved') then
      write_reserved(id, was, order)
    end
    if not was or (was.status == 'reserved' and order.status == 'queued') then
      gather('ZADD', key.orders, now_text, id)
    end
    local record = encode_order(order)
    if is_final(order) then
      redis.call('SET', order_key(id), record, 'PX', retention_ms)
      if order.once ~= '' then
        redis.call('PEXPIRE', key.once(order.once), retention_ms)
      end
      if order.holder == SHARED or (order.holder ~= '' and order.holder ~= replica) then
        ring_bell(id)
      end
    else
      local at = #open_records
      open_records[at + 1], open_records[at + 2] = order_key(id), record
    end
    if order.claim ~= '' or (was and was.claim ~= '') then
      write_claim(id, was, order)
    end
    if order.customer ~= '' then
      write_customer(id, was, order, retention_ms)
    end
  end
  if #open_records > 0 then
    redis.call('MSET', unpack(open_records))
  end
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
  for _, entry in ipairs(queue.fresh) do
    wanted[entry] = true
  end
  for _, entry in ipairs(read) do
    if wanted[entry[1]] then
      wanted[entry[1]] = nil
    elseif not redis.call('ZSCORE', queue.leases, entry[2][2]) then
      -- Others were chosen out of their turn: this one is queued still.
      redis.call('XACK', queue.stream, 'baristas', entry[1])
    end
  end
  for entry in pairs(wanted) do
    queue.claimed[#queue.claimed + 1] = entry
  end
end

local function write_queue_commands(queue, replica)
  local lists = { queue.remove_waiting, queue.add_waiting, queue.remove_leases, queue.add_leases }
  for _, list in ipairs(lists) do
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
    write_queue_commands(queue, replica)
  end
end

-- Queues that a barista waits at, and for how long they may be woken, ms.
local idle_ms = {}
local IDLE_SLACK_MS = 5000
local LONGEST_IDLE_MS = 30000

local function write_idle()
  for queue, ms in pairs(idle_ms) do
    redis.call('SET', key.idle(queue), '1', 'PX', math.min(ms, LONGEST_IDLE_MS) + IDLE_SLACK_MS)
  end
end

local function wake_for_changes()
  for queue, ids in pairs(queued_now) do
    local count = 0
    for _, id in ipairs(ids) do
      count = count + (is_waiting(orders[id]) and 1 or 0)
    end
    wake_baristas(queue, count)
  end
end

-- Writes all that has changed. Returns the id of the events' entry, '' where there is none.
local function write_changes(replica, retention_ms)
  write_records(replica, retention_ms)
  for _, values in ipairs(batches) do
    try(unpack(values))
  end
  if batch_of.SADD and batch_of.SADD[spent_claims(0)] then
    try('PEXPIRE', spent_claims(0), 2 * CLAIM_SPENT_MS)
  end
  for _, list in ipairs({ dropped_claims, made_claims }) do
    if #list > 2 then
      try(unpack(list))
    end
  end
  write_queues(replica)
  for _, id in ipairs(damaged) do
    set_aside(id)
  end
  local entry = append_events()
  wake_for_changes()
  write_idle()
  return entry
end
