-- changes
-- Owns the orders of a run: what it reads of them, and what it changes in memory.
-- Needs lib/keys.lua lib/order.lua lib/events.lua lib/queues.lua lib/dead.lua
--
-- Invariants
-- - An operation reads and checks first; `enter` or `add_order` ends its checks.
-- - An operation makes its changes last. None of them can fail.
-- - An operation checks the type of each key that it adds to.
-- - A removal may fail: an entry that a key names too much is dropped where it is met.
-- - A damaged order fails the operations that name it, and is set aside at the end of the run.

local SHARED = '*' -- the holder of an order that several replicas' customers wait for
local DAMAGED = { err = 'DAMAGED the order can not be read' }

-- Records by id: as stored, or as an operation has made them the usual way (usual.lua). False where there is none, or a
-- value of another type.
local records
-- Orders by id, as they are now: those that were read. False where there is none. One that this run has changed has
-- three more fields: `was`, the stage that it was in (false of a new one); `event`, the index of its last event;
-- `members`, what that event holds.
local orders
-- Ids that this run has changed, in their order; and how many of a stage.
local changed
local changed_of = {}
-- Ids of orders that this run has made final.
local ended
-- Ids of damaged orders that this run has met.
local damaged
-- How many orders more are open than were stored: of the counter; of each queue of machines; by customer.
local opened, opened_in, opened_by
-- Ids that this run has put into a queue, in their order.
local queued_now

each_run(function()
  records, orders, changed, ended, damaged, opened_in, opened_by, queued_now = {}, {}, {}, {}, {}, {}, {}, {}
  changed_of.queued, changed_of.delayed, changed_of.scheduled = 0, 0, 0
  changed_of.brewing, changed_of.reserved, changed_of.unpaid = 0, 0, 0
  opened = 0
end)

-- Reads orders ahead.
local function load_orders(ids)
  if #ids == 0 then
    return
  end
  local names = {}
  for i = 1, #ids do
    local id = ids[i]
    local name = order_prefix .. id
    names[i], order_keys[id] = name, name
  end
  local found = redis.call('MGET', unpack(names))
  for i = 1, #ids do
    local id = ids[i]
    records[id] = records[id] or found[i]
  end
end

-- The order; false where there is none, DAMAGED where it can't be read.
local function look_at(id)
  local order = orders[id]
  if order == nil then
    if records[id] == nil then
      load_orders({ id })
    end
    local record = records[id]
    if record then
      order = decode_order(record) or DAMAGED
    else
      order = redis.call('EXISTS', order_key(id)) == 1 and DAMAGED
    end
    orders[id] = order
    if order == DAMAGED then
      damaged[#damaged + 1] = id
    end
  end
  return order
end

-- The order; false where there is none. Throws DAMAGED where it can't be read.
local function find_order(id)
  local order = orders[id]
  if order == nil then
    order = look_at(id)
  end
  if order == DAMAGED then
    error(DAMAGED)
  end
  return order
end

local function count_opened(order, step)
  if order.input ~= '' then
    opened_in[order.queue] = (opened_in[order.queue] or 0) + step
  else
    opened = opened + step
  end
  if order.customer ~= '' then
    local customer_id = cjson.decode(order.customer)
    opened_by[customer_id] = (opened_by[customer_id] or 0) + step
  end
end

local function offer(id)
  queued_now[#queued_now + 1] = id
end

-- To be called before an order that is kept is changed in any way: checks the keys, and moves it into a state. `queue`
-- is for one that has none yet.
local function enter(id, order, status, queue)
  local is_moved = status ~= order.status
  if is_moved and not FINAL[status] then
    check_queue(queue or order.queue, queue and 'placed' or status)
  end
  if queue then
    open_queue(queue).has_new = true
  end
  if order.was == nil then
    local stage = stage_of(order)
    order.was = stage
    changed[#changed + 1] = id
    changed_of[stage] = changed_of[stage] + 1
  end
  order.status = status
  if FINAL[status] then
    ended[#ended + 1] = id
    count_opened(order, -1)
  elseif is_moved and status == 'queued' then
    offer(id)
  end
end

-- Appends its event, and keeps the index of that, and what it holds.
local function note_event(verb, id, order)
  local members = encode_changes(order)
  order.members = members
  order.event = add_event(verb, id, members)
end

-- The index that keeps when it was placed.
local function index_of(order)
  return order.input ~= '' and key.calls(order.queue) or key.orders
end

-- The first event of an order, by the state that it comes in.
local FIRST_EVENT = {
  reserved = 'order.reserved', unpaid = 'order.unpaid', scheduled = 'order.scheduled', queued = 'order.placed',
}

-- Adds an order that was not kept before. `customer_id` is '' where there is none.
local function add_order(id, order, customer_id)
  local status = order.status
  if status == 'reserved' then
    check_type(key.reserved, 'zset')
  else
    check_queue(order.queue, 'placed')
    open_queue(order.queue).has_new = true
  end
  if status == 'scheduled' or status == 'unpaid' then
    check_type(key[status](order.queue), 'zset')
  end
  check_type(index_of(order), 'zset')
  if customer_id ~= '' then
    check_type(key.open_of(customer_id), 'set')
    check_type(key.orders_of(customer_id), 'zset')
  end
  order.was = false
  changed[#changed + 1] = id
  orders[id] = order
  count_opened(order, 1)
  if status == 'queued' then
    offer(id)
  end
  note_event(FIRST_EVENT[status], id, order)
end

-- The line of an outcome that shows an order; what its event holds is not encoded again.
local function encode_line(outcome, id, order)
  local members = order.members
  if not members then
    return outcome .. '\t' .. encode_json(id, order)
  end
  if not order.is_unusual then
    return outcome .. '\t{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members .. '}'
  end
  return outcome .. '\t{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members .. encode_large(order) .. '}'
end
