-- writes
-- Owns what a run writes of the orders that it has changed: once, at its end.
-- Needs lib/clock.lua lib/damage.lua lib/changes.lua lib/queue-rules.lua lib/queue-writes.lua lib/held-claims.lua
-- Needs lib/wake.lua
--
-- Invariants
-- - The writes follow from each order as it was before the run and as it is now.
-- - A key gets one command a run, or one for each order that is added to it or ends.

local gather_list, gather, set_record, write_changes
-- The changes that operations have made the usual way: final orders, four values each: id, record, Idempotency-Key,
-- holder; and new ones, three: id, queue number, its queue.
local finals, news
do

-- The writes to other keys: arguments by command and key, in the order in which they came.
local batches, batch_of

each_run(function()
  batches, batch_of = {}, {}
end)

function gather_list(command, name)
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
  return values
end

function gather(command, name, value, more)
  local values = gather_list(command, name)
  values[#values + 1] = value
  values[#values + 1] = more
end

-- The records that are written at once: names and texts in turn; and where that of an order stands.
-- (The table stays, so it need not grow again: its first `set_count` values belong to this run.)
local sets = { 'MSET' }
local set_count, set_at

each_run(function()
  set_count, set_at = 1, {}
end)

function set_record(id, record)
  local at = set_at[id]
  if at then
    sets[at] = record
    return
  end
  at = set_count + 2
  set_count, set_at[id] = at, at
  sets[at - 1], sets[at] = order_key(id), record
end

local MAX_QUEUE_NUMBER = 2 ^ 53 - 1

-- The entry's id is the order's queue number (Redis adds `-0`). Where the stream is past it (a clock set back), the
-- order gets the next queue number there is. A stream that takes no entry at all (its last id is the greatest) keeps no
-- order out of the queue: `waiting` decides.
local function append_to_queue(id, order, stream)
  if try('XADD', stream, order.queue_number, 'order_id', id) then
    return
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    local next_queue_number = info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) + 1
    if next_queue_number and next_queue_number <= MAX_QUEUE_NUMBER then
      order.queue_number = string.format('%.0f', next_queue_number)
      try('XADD', stream, order.queue_number, 'order_id', id)
    end
  end
end

local function name_queue(queue)
  if not queue.is_named then
    queue.is_named = true
    gather('SADD', key.queues, queue.name)
  end
end

local function add_to_queue(id, order, queue)
  append_to_queue(id, order, queue.stream)
  name_queue(queue)
end

-- Takes an order out of what names it in the stage that it was in.
local function gather_leaving(id, order, was, queue)
  if was == 'queued' then
    local list = queue.remove_waiting
    list[#list + 1] = id
  elseif was == 'brewing' then
    local list = queue.remove_leases
    list[#list + 1] = id
  elseif was == 'delayed' then
    gather('ZREM', key.delayed(order.queue), id)
  elseif was == 'scheduled' or was == 'unpaid' then
    gather('ZREM', key[was](order.queue), id)
  else
    gather('ZREM', key.reserved, id)
  end
end

-- Puts an order into what names it in its stage. `was` is false of a new one.
local function gather_coming(id, order, was, stage, queue)
  local is_new = not was or was == 'reserved'
  if FINAL[stage] then
    if not is_new then
      local list = queue.delete
      list[#list + 1] = order.queue_number
    end
    return
  end
  if is_new then
    gather('ZADD', index_of(order), now_text, id)
    if queue then
      add_to_queue(id, order, queue)
    end
  end
  if stage == 'queued' then
    local list = queue.add_waiting
    local at = #list
    list[at + 1], list[at + 2] = order.queue_number, id
  elseif stage == 'delayed' then
    gather('ZADD', key.delayed(order.queue), order.due, id)
  elseif stage == 'scheduled' then
    gather('ZADD', key.scheduled(order.queue), order.due, id)
  end
end

-- A deadline of this run is written whatever else has changed.
local function gather_deadline(id, order, stage, queue)
  if stage == 'brewing' then
    local list = queue.add_leases
    local at = #list
    list[at + 1], list[at + 2] = order.deadline, id
  elseif stage == 'reserved' then
    gather('ZADD', key.reserved, order.deadline, id)
  elseif stage == 'unpaid' then
    gather('ZADD', key.unpaid(order.queue), order.deadline, id)
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
  if FINAL[order.status] then
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

-- A final order is kept for a while, and with it its Idempotency-Key. The order's bell rings where a customer may wait
-- for it at another replica.
local function note_end(id, idempotency_key, holder, replica, retention_ms)
  if idempotency_key ~= '' then
    redis.call('PEXPIRE', key.idempotency_key(idempotency_key), retention_ms)
  end
  if holder ~= '' and holder ~= replica then
    ring_bell(id)
  end
end

each_run(function()
  finals, news = {}, {}
end)

-- A stream that is past the order's queue number gives it another.
local function move_on(id, queue)
  local order = look_at(id)
  append_to_queue(id, order, queue.stream)
  local list = queue.add_waiting
  for i = 3, #list, 2 do
    if list[i + 1] == id then
      list[i] = order.queue_number
    end
  end
  set_record(id, encode_order(order))
end

local function write_usual(replica, retention_ms)
  local call = redis.call
  for i = 1, #finals, 4 do
    local id, idempotency_key, holder = finals[i], finals[i + 2], finals[i + 3]
    call('SET', order_key(id), finals[i + 1], 'PX', retention_ms)
    if idempotency_key ~= '' or holder ~= '' and holder ~= replica then
      note_end(id, idempotency_key, holder, replica, retention_ms)
    end
  end
  for i = 1, #news, 3 do
    local id, queue = news[i], news[i + 2]
    local reply = redis.pcall('XADD', queue.stream, news[i + 1], 'order_id', id)
    if type(reply) == 'table' then
      move_on(id, queue)
    end
    name_queue(queue)
  end
end

local function write_orders(replica, retention_ms)
  for i = 1, #changed do
    local id = changed[i]
    local order = orders[id]
    local was, stage = order.was, stage_of(order)
    local queue = order.queue ~= '' and open_queue(order.queue)
    if stage ~= was then
      if was then
        gather_leaving(id, order, was, queue)
      end
      gather_coming(id, order, was, stage, queue)
    end
    if order.deadline then
      gather_deadline(id, order, stage, queue)
    end
    if order.customer ~= '' then
      gather_for_customer(id, order, not was, retention_ms)
    end
    -- (Its queue number may have changed just now.)
    if FINAL[stage] then
      local rules = order.queue ~= '' and queue_rules_of(order.queue)
      local kept_ms = rules and rules.retention_ms or retention_ms
      redis.call('SET', order_key(id), encode_order(order), 'PX', kept_ms)
      note_end(id, order.idempotency_key, order.holder, replica, kept_ms)
    else
      set_record(id, encode_order(order))
    end
  end
end

-- Wakes as many baristas as there are orders more to start, by queue.
local function wake_for_changes()
  for name, queue in pairs(queues) do
    wake_baristas(name, (#queue.add_waiting - 2) / 2)
  end
end

-- Writes all that has changed. Returns the id of the events' entry, '' where there is none.
function write_changes(replica, retention_ms)
  write_usual(replica, retention_ms)
  write_orders(replica, retention_ms)
  if set_count > 1 then
    redis.call(unpack(sets, 1, set_count))
  end
  for _, values in ipairs(batches) do
    try(unpack(values))
  end
  write_claims()
  write_queues(replica)
  write_dead()
  for _, id in ipairs(damaged) do
    set_aside(id)
  end
  local entry = append_events()
  wake_for_changes()
  write_idle()
  return entry
end

end
