-- changes
-- Owns the orders of a run: what it reads of them, and what it changes in memory.
-- Needs lib/keys.lua lib/order.lua lib/events.lua lib/reads.lua lib/queues.lua
--
-- Invariants
-- - An operation reads and checks first; `enter` or `add_order` ends its checks. Its changes come last, and none of them can fail.
-- - What an operation adds to a key, it has checked the type of. A removal may fail: what a key names too much is dropped where it
--   is met.
-- - A damaged order fails the operations that name it, and is set aside at the end of the run.

local SHARED = '*' -- the holder of an order that several replicas' customers wait for
local DAMAGED = { err = 'DAMAGED the order can not be read' }

-- Orders by id, as they are now. False where there is none. One that this run has changed has three more fields: `was`, what it was
-- before, as far as that decides which keys are written (false of a new one); `event`, the index of its last event; `members`, what
-- that event holds.
local orders = {}
-- Ids that this run has changed, in their order.
local changed = {}
-- Ids of damaged orders that this run has met.
local damaged = {}

-- The order; false where there is none, DAMAGED where it can't be read.
local function look_at(id)
  local order = orders[id]
  if order == nil then
    local name = order_key(id)
    local record = read_string(name)
    order = record and decode_order(record)
    if not order then
      order = (record or redis.call('EXISTS', name) == 1) and DAMAGED
      damaged[#damaged + 1] = order and id or nil
    end
    orders[id] = order
  end
  return order
end

-- The order; false where there is none. Throws DAMAGED where it can't be read.
local function find_order(id)
  local order = look_at(id)
  if order == DAMAGED then
    error(DAMAGED)
  end
  return order
end

-- Whether anything is kept under an id that was just made.
local function is_kept(id)
  return orders[id] or read_string(order_key(id)) ~= false
end

-- How many orders more are open than were stored; by customer too.
local opened = 0
local opened_by = {}
local function count_opened(customer_id, step)
  opened = opened + step
  if customer_id then
    opened_by[customer_id] = (opened_by[customer_id] or 0) + step
  end
end

-- Ids that this run has put into a queue, in their order.
local queued_now = {}
local function offer(id)
  queued_now[#queued_now + 1] = id
end

-- Whether it can be started: queued, and not due later.
local function is_waiting(order)
  return order.status == 'queued' and order.due == ''
end

-- Throws where an order that comes into this state needs a key of a wrong type.
local function check_keys(queue_name, status, is_new)
  if status == 'queued' then
    local queue = open_queue(queue_name)
    check_type(queue.waiting, 'zset')
    if is_new then
      check_type(queue.stream, 'stream')
    end
  elseif status == 'brewing' then
    local queue = open_queue(queue_name)
    check_type(queue.leases, 'zset')
    check_type(queue.stream, 'stream')
  elseif status == 'reserved' then
    check_type(key.reserved, 'zset')
  end
end

-- To be called before an order that is kept is changed in any way: checks the keys, and moves it into a state. `queue` is for one
-- that has none yet.
local function enter(id, order, status, queue)
  local is_moved = status ~= order.status
  if is_moved then
    check_keys(queue or order.queue, status, queue)
  end
  if order.was == nil then
    order.was = { status = order.status, due = order.due, claim = order.claim, attempts = order.attempts }
    changed[#changed + 1] = id
  end
  order.status = status
  if is_final(order) then
    count_opened(customer_of(order), -1)
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

-- Adds an order that was not kept before. `customer_id` is '' where there is none.
local function add_order(id, order, customer_id, verb)
  check_keys(order.queue, order.status, true)
  check_type(key.orders, 'zset')
  if customer_id ~= '' then
    check_type(key.open_of(customer_id), 'set')
    check_type(key.orders_of(customer_id), 'zset')
  end
  order.was = false
  changed[#changed + 1] = id
  orders[id] = order
  count_opened(customer_id ~= '' and customer_id, 1)
  if order.status == 'queued' then
    offer(id)
  end
  note_event(verb, id, order)
end

-- The line of an outcome that shows an order; what its event holds is not encoded again.
local function encode_line(outcome, id, order)
  local members = order.members
  if not members then
    return outcome .. '\t' .. encode_json(id, order)
  end
  return outcome .. '\t{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members
    .. (order.result ~= '' and ',"result":' .. order.result or '') .. '}'
end
