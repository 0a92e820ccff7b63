-- start
-- Gives a barista an order under a new lease: the one that they name, or else the one whose lease ran out first, or else the
-- oldest queued one. A claim made before gets the same order again, while that is brewing under it. An order whose leases ran out
-- too often is cancelled on the way.
-- Fields   claim ('' is none), barista (JSON), queue, chosen (order id; '' is the next one), waits (ms that the barista waits for
--          an order where there is none; '' or 0: not at all), after (order id: only if its finish succeeded; '' is always)
-- Answers  started, the order | empty | unknown | conflict, status, barista (JSON)

-- What an index names wrongly is passed over: so many more entries are read at once, and so many in all.
local MOST_MORE, MOST_READ = 500, 4000
-- By queue: the orders that can be started now, in their order; `expired` of them stand first, with a lease that ran out.
local lines = {}

-- Whether an order of an index belongs there, as it was stored. One that is gone, damaged or elsewhere leaves it: others are served.
local function is_indexed(id, queue, status, removal)
  local order = look_at(id)
  local was = order and order.was
  if was == nil then
    was = order
  end
  if was and order ~= DAMAGED and order.queue == queue and was.status == status and (status ~= 'queued' or was.due == '') then
    return true
  end
  if not order or order == DAMAGED or order.was == nil then
    removal[#removal + 1] = id
  end
  return false
end

-- The first `most` ids of an index that belong there. `read` gives so many of the index, from a rank on.
local function read_index(queue, status, removal, most, read)
  local kept, first, count = {}, 0, most
  repeat
    local ids = read(first, count)
    local names = {}
    for i = 1, #ids do
      local name = order_key(ids[i])
      if strings[name] == nil then
        names[#names + 1] = name
      end
    end
    prefetch(names)
    for i = 1, #ids do
      if is_indexed(ids[i], queue, status, removal) then
        kept[#kept + 1] = ids[i]
      end
    end
    local is_over = #ids < count
    first = first + count
    count = math.min(2 * count, MOST_MORE)
  until #kept >= most or is_over or first >= MOST_READ
  return kept
end

-- Adds those that can be started, by their places.
local function add_by_place(line, ids)
  local places, seen, is_sorted, last = {}, {}, true, 0
  local waiting = {}
  for i = 1, #ids do
    local id = ids[i]
    if not seen[id] and is_waiting(orders[id]) then
      local place = tonumber(orders[id].place)
      seen[id] = true
      places[id] = place
      waiting[#waiting + 1] = id
      is_sorted = is_sorted and place > last
      last = place
    end
  end
  if not is_sorted then
    table.sort(waiting, function(one, other) return places[one] < places[other] end)
  end
  for i = 1, #waiting do
    line[#line + 1] = waiting[i]
  end
end

-- How many orders of an index may have left it in this run: an order that it had in this state was changed.
local function count_changed(status)
  local count = 0
  for i = 1, #changed do
    local was = orders[changed[i]].was
    if was and was.status == status then
      count = count + 1
    end
  end
  return count
end

-- Reads as many as this run can start. Those that it has put back or placed come in by their place.
local function load_line(queue)
  local keys = open_queue(queue)
  local starts = count_items('start')
  local expired = read_index(queue, 'brewing', keys.remove_leases, starts + count_changed('brewing'), function(first, count)
    return redis.call('ZRANGEBYSCORE', keys.leases, '-inf', now_text, 'LIMIT', first, count)
  end)
  local ids = read_index(queue, 'queued', keys.remove_waiting, starts + count_changed('queued'), function(first, count)
    return redis.call('ZRANGE', keys.waiting, first, first + count - 1)
  end)
  local line = { at = 1 }
  for _, id in ipairs(expired) do
    local order = orders[id]
    if order.status == 'brewing' and not order.deadline then
      line[#line + 1] = id
    end
  end
  for _, id in ipairs(queued_now) do
    if orders[id].queue == queue then
      ids[#ids + 1] = id
    end
  end
  add_by_place(line, ids)
  return line
end

-- Whether an order can be started whose lease ran out. It can't if that was its last: it is cancelled.
local function can_start_expired(id, order)
  if is_last_lease(order) then
    close_order(id, order, 'cancelled', 'barista_timeout')
    return false
  end
  return true
end

-- The id of the next order, and it.
local function find_next(queue)
  local line = lines[queue]
  if not line then
    line = load_line(queue)
    lines[queue] = line
  end
  while line[line.at] do
    local id = line[line.at]
    line.at = line.at + 1
    local order = find_order(id)
    local is_expired = order.status == 'brewing' and not order.deadline
    if is_expired and can_start_expired(id, order) or is_waiting(order) then
      return id, order
    end
  end
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

-- The answer to a claim made before: its order, while that is brewing under it. Nil where the claim is free, or free again.
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

operation('start', 6, function(claim, barista, queue, chosen, waits, after)
  if after ~= '' and not has_finished(after, barista) then
    return 'empty'
  end
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
  check_keys(order.queue, 'brewing')
  local was_expired = order.status == 'brewing'
  enter(id, order, 'brewing')
  set_claim(id, order, claim)
  if was_expired then
    order.expiries = order.expiries + 1 .. ''
  end
  order.barista, order.started_at = barista, now
  set_field(order, 'due', '')
  order.attempts = order.attempts + 1 .. ''
  order.deadline = new_deadline()
  note_event('order.started', id, order)
  return 'started', id
end)
