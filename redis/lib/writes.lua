-- writes
-- Owns what a run writes of the orders that it has changed: once, at its end.
-- Needs lib/clock.lua lib/damage.lua lib/changes.lua lib/held-claims.lua lib/wake.lua
--
-- Invariants
-- - What is written follows from each order as it was before the run and as it is now.
-- - A key gets one command a run, or one for each order that is added to it or ends.

-- What is written to other keys: arguments by command and key, in the order in which they came.
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

local MOST_PLACE = 2 ^ 53 - 1

-- The entry's id is the order's place (Redis adds `-0`). Where the stream is past it (a clock set back), the order gets the next
-- place there is. A stream that takes no entry at all (its last id is the greatest) keeps no order from its place: `waiting` decides.
local function append_to_queue(id, order, stream)
  if try('XADD', stream, order.place, 'order_id', id) then
    return
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    local next_place = info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) + 1
    if next_place and next_place <= MOST_PLACE then
      order.place = string.format('%.0f', next_place)
      try('XADD', stream, order.place, 'order_id', id)
    end
  end
end

local function add_to_queue(id, order, queue)
  append_to_queue(id, order, queue.stream)
  if not queue.is_named then
    queue.is_named = true
    gather('SADD', key.queues, order.queue)
  end
end

-- A failed order waits elsewhere until it is due.
local function gather_due(id, order, due_before)
  if order.due ~= '' then
    gather('ZADD', key.delayed(order.queue), order.due, id)
  elseif due_before ~= '' then
    gather('ZREM', key.delayed(order.queue), id)
  end
end

local function gather_brewing(id, order, queue, attempts_before)
  if order.deadline then
    local list = queue.add_leases
    list[#list + 1] = order.deadline
    list[#list + 1] = id
  end
  if attempts_before ~= order.attempts then
    local given = order.attempts == '1' and queue.fresh or queue.claimed
    given[#given + 1] = order.place
  end
end

-- `was` is false of a new order, and of one that was reserved.
local function gather_in_queue(id, order, was)
  local queue = open_queue(order.queue)
  local status = order.status
  local is_in = status == 'queued' or status == 'brewing'
  if is_in and not was then
    add_to_queue(id, order, queue)
  elseif was and not is_in then
    queue.acknowledge[#queue.acknowledge + 1] = order.place
    queue.delete[#queue.delete + 1] = order.place
  end
  local waited = was and was.status == 'queued' and was.due == ''
  if is_waiting(order) then
    if not waited then
      local list = queue.add_waiting
      list[#list + 1] = order.place
      list[#list + 1] = id
    end
  elseif waited then
    queue.remove_waiting[#queue.remove_waiting + 1] = id
  end
  if was and was.status == 'brewing' and status ~= 'brewing' then
    queue.remove_leases[#queue.remove_leases + 1] = id
    if is_in then
      queue.acknowledge[#queue.acknowledge + 1] = order.place
    end
  end
  if order.due ~= '' or was and was.due ~= '' then
    gather_due(id, order, was and was.due or '')
  end
  if status == 'brewing' then
    gather_brewing(id, order, queue, was and was.attempts)
  end
end

local function gather_reserved(id, order, was)
  if order.status ~= 'reserved' then
    gather('ZREM', key.reserved, id)
  elseif order.deadline then
    gather('ZADD', key.reserved, order.deadline, id)
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

local function gather_for_customer(id, order, is_new, retention_ms)
  local customer_id = customer_of(order)
  if is_final(order) then
    if not is_new then
      gather('SREM', key.open_of(customer_id), id)
    end
  elseif is_new then
    gather('SADD', key.open_of(customer_id), id)
  end
  if is_new then
    index_for_customer(id, customer_id, retention_ms)
  end
end

-- A final order is kept for a while. Whoever may wait for it elsewhere is rung.
local function write_final(id, order, record, replica, retention_ms)
  redis.call('SET', order_key(id), record, 'PX', retention_ms)
  if order.once ~= '' then
    redis.call('PEXPIRE', key.once(order.once), retention_ms)
  end
  if order.holder ~= '' and order.holder ~= replica then
    ring_bell(id)
  end
end

local function write_orders(replica, retention_ms)
  local records = { 'MSET' }
  for i = 1, #changed do
    local id = changed[i]
    local order = orders[id]
    local was = order.was
    local was_reserved = was and was.status == 'reserved'
    if order.queue ~= '' then
      gather_in_queue(id, order, not was_reserved and was)
    end
    if was_reserved or order.status == 'reserved' then
      gather_reserved(id, order)
    end
    if not was or (was_reserved and order.status == 'queued') then
      gather('ZADD', key.orders, now_text, id)
    end
    -- (Its place may have changed just now.)
    local record = encode_order(order)
    if is_final(order) then
      write_final(id, order, record, replica, retention_ms)
    else
      records[#records + 1] = order_key(id)
      records[#records + 1] = record
    end
    local claim_before = was and was.claim or ''
    if order.claim ~= claim_before then
      gather_claim(id, order.claim, claim_before)
    end
    if order.customer ~= '' then
      gather_for_customer(id, order, not was, retention_ms)
    end
  end
  if #records > 1 then
    redis.call(unpack(records))
  end
end

-- Wakes as many baristas as there are orders to start, by queue.
local function wake_for_changes()
  if #queued_now == 0 then
    return
  end
  local counts, seen = {}, {}
  for _, id in ipairs(queued_now) do
    local order = orders[id]
    if is_waiting(order) and not seen[id] then
      seen[id] = true
      counts[order.queue] = (counts[order.queue] or 0) + 1
    end
  end
  for queue, count in pairs(counts) do
    wake_baristas(queue, count)
  end
end

-- Writes all that has changed. Returns the id of the events' entry, '' where there is none.
local function write_changes(replica, retention_ms)
  write_orders(replica, retention_ms)
  for _, values in ipairs(batches) do
    try(unpack(values))
  end
  write_claims()
  write_queues(replica)
  for _, id in ipairs(damaged) do
    set_aside(id)
  end
  local entry = append_events()
  wake_for_changes()
  write_idle()
  return entry
end
