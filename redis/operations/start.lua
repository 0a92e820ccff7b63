-- start
-- Gives a barista an order under a new lease: the one that they name, or else the one whose lease ran out first, or
-- else the oldest queued one. A claim made before gets the same order again, while that is brewing under it. An order
-- whose leases ran out too often is cancelled on the way.
-- Fields   barista (JSON), queue, waits (ms that the barista waits for an order where there is none; 0: not at all)
--          | claim, chosen (order id; else the next one), after (order id: only if its finish succeeded)
-- Answers  started, the order | empty | unknown | conflict, status, barista (JSON)

-- An entry that an index names wrongly is passed over: so many more entries are read at once, and so many in all.
local MAX_MORE, MAX_READ = 500, 4000
-- By queue: the orders that can be started now: those whose lease ran out, then those that wait, in their order.
local lines
each_run(function()
  lines = {}
end)

-- Whether an order of an index belongs there, as it was stored. One that is gone, damaged or elsewhere leaves it:
-- others are served.
local function is_indexed(id, queue, stage, removal)
  local order = look_at(id)
  if order and order ~= DAMAGED and order.queue == queue then
    local was = order.was
    if (was or was == nil and stage_of(order)) == stage then
      return true
    end
  end
  if not order or order == DAMAGED or order.was == nil then
    removal[#removal + 1] = id
  end
  return false
end

-- The first `max_ids` ids of an index that belong there. `read` gives so many of the index, from a rank on.
local function read_index(queue, stage, removal, max_ids, read)
  local kept, first, count = {}, 0, max_ids
  repeat
    local ids = read(first, count)
    load_orders(ids)
    for i = 1, #ids do
      if is_indexed(ids[i], queue, stage, removal) then
        kept[#kept + 1] = ids[i]
      end
    end
    local is_over = #ids < count
    first = first + count
    count = math.min(2 * count, MAX_MORE)
  until #kept >= max_ids or is_over or first >= MAX_READ
  return kept
end

-- Adds those that this run has put into the queue. Most are new: their queue numbers come last.
local function add_queued(line, queue)
  local last = #line > 0 and tonumber(orders[line[#line]].queue_number) or 0
  local is_sorted = true
  for i = 1, #queued_now do
    local id = queued_now[i]
    local order = look_at(id)
    if order.queue == queue and stage_of(order) == 'queued' then
      local queue_number = tonumber(order.queue_number)
      is_sorted = is_sorted and queue_number > last
      last = queue_number
      line[#line + 1] = id
    end
  end
  if not is_sorted then
    table.sort(line, function(one, other) return tonumber(orders[one].queue_number) < tonumber(orders[other].queue_number) end)
  end
end

-- Reads as many as this run can start: some of the index may have been changed in it. (An order that it can't start any
-- more is passed over when its turn comes.)
local function load_lines(queue)
  local keys = open_queue(queue)
  local starts = count_items('start')
  local expired = read_index(queue, 'brewing', keys.remove_leases, starts + changed_of.brewing, function(first, count)
    return redis.call('ZRANGEBYSCORE', keys.leases, '-inf', now_text, 'LIMIT', first, count)
  end)
  local waiting = read_index(queue, 'queued', keys.remove_waiting, starts + changed_of.queued, function(first, count)
    return redis.call('ZRANGE', keys.waiting, first, first + count - 1)
  end)
  add_queued(waiting, queue)
  return { expired = expired, expired_at = 1, waiting = waiting, waiting_at = 1 }
end

-- Whether an order can be started whose lease ran out. It can't if that was its last: it is cancelled.
local function can_start_expired(id, order)
  if is_last_lease(order) then
    close_order(id, order, 'cancelled', 'barista_timeout')
    return false
  end
  return true
end

-- The id of the next order whose lease ran out, and it.
local function find_expired(line)
  local id = line.expired[line.expired_at]
  while id do
    line.expired_at = line.expired_at + 1
    local order = find_order(id)
    if order.status == 'brewing' and not order.deadline and can_start_expired(id, order) then
      return id, order
    end
    id = line.expired[line.expired_at]
  end
end

-- The id of the next order, and it.
local function find_next(queue)
  local line = lines[queue]
  if not line then
    line = load_lines(queue)
    lines[queue] = line
  end
  if line.expired_at <= #line.expired then
    local id, order = find_expired(line)
    if id then
      return id, order
    end
  end
  local at = line.waiting_at
  local id = line.waiting[at]
  while id do
    at = at + 1
    local order = orders[id]
    if stage_of(order) == 'queued' then
      line.waiting_at = at
      return id, order
    end
    id = line.waiting[at]
  end
  line.waiting_at = at
end

-- The order that the barista has chosen: queued, or brewing under a lease that ran out. Else nil, and the refusal.
local function find_chosen(id)
  local order = find_order(id)
  if order and order.status == 'queued' then
    return id, order
  end
  if not order or order.status ~= 'brewing' or not has_run_out(key.leases(order.queue), id) or not can_start_expired(id, order) then
    return nil, refuse(order)
  end
  return id, order
end

-- The answer to a claim made before: its order, while that is brewing under it. Nil where the claim is free, or free
-- again.
local function repeat_start(claim)
  local id = find_claim(claim)
  if not id or id == SPENT then
    return id and 'empty' or nil
  end
  local order = find_order(id)
  if not order or order.claim ~= claim then
    return nil
  end
  if order.status ~= 'brewing' then
    return 'empty'
  end
  if not has_run_out(key.leases(order.queue), id) then
    return 'started', id
  end
  -- The lease is over: the first to come gets the order, and this claim is free.
  enter(id, order, 'brewing')
  set_claim(id, order, '')
  order.deadline = nil
  return nil
end

-- Whether the barista has finished the order: in this run, or in one before.
local function has_finished(id, barista)
  if finished_now[id] then
    return true
  end
  local order = find_order(id)
  return order and order.status == 'ready' and order.barista == barista
end

-- Of this run, by queue of machines: those who asked there, as the queue lists them.
local askers
each_run(function()
  askers = {}
end)

-- A queue of machines lists those who work there. (A machine asks often in a run.)
local function note_worker(queue, barista)
  local noted = askers[queue]
  if noted == nil then
    noted = queue_rules_of(queue) and {}
    askers[queue] = noted
  end
  if noted and not noted[barista] then
    noted[barista] = true
    gather('ZADD', key.workers(queue), now_text, barista)
  end
end

operation('start', function(barista, queue, waits, claim, chosen, after)
  claim, chosen, after = claim or '', chosen or '', after or ''
  if after ~= '' and not has_finished(after, barista) then
    return 'empty'
  end
  note_worker(queue, barista)
  if claim ~= '' then
    local outcome, id = repeat_start(claim)
    if outcome then
      return outcome, id
    end
  end
  local id, order
  if chosen == '' then
    id, order = find_next(queue)
  else
    id, order = find_chosen(chosen)
  end
  if not id then
    local waits_ms = not order and tonumber(waits) or 0
    if waits_ms > 0 then
      note_idle(queue, waits_ms)
    end
    return order or 'empty'
  end
  if claim ~= '' then
    check_claims()
  end
  check_queue(order.queue, 'brewing')
  local was_expired = order.status == 'brewing'
  enter(id, order, 'brewing')
  set_claim(id, order, claim)
  if was_expired then
    set_field(order, 'expiries', order.expiries + 1 .. '')
  end
  set_field(order, 'due', '')
  order.barista, order.started_at = barista, now
  order.attempts = next_attempt(order.attempts)
  order.deadline = new_deadline_of(order.queue)
  set_field(order, 'progress', '')
  if order.attempts == '1' then
    local keys = open_queue(order.queue)
    keys.given = keys.given + 1
  end
  note_event('order.started', id, order)
  return 'started', id
end)
