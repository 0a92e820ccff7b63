-- start
-- Gives a barista an order under a new lease: the one that they name, or else the one whose lease ran out first, or else the
-- oldest queued one. A claim made before gets the same order again, while that is brewing under it. An order whose leases ran out
-- too often is cancelled on the way.
-- Fields   claim ('' is none), barista (JSON), queue, chosen (order id; '' is the next one), waits (ms that the barista waits for
--          an order where there is none; '' or 0: not at all), after (order id: only if its finish succeeded; '' is always)
-- Answers  started, the order | empty | unknown | conflict, status, barista (JSON)

local function find_claim(claim)
  if claims[claim] == nil then
    local id = redis.call('HGET', key.claims, claim)
    local is_spent = not id
      and (redis.call('SISMEMBER', spent_claims(0), claim) == 1 or redis.call('SISMEMBER', spent_claims(1), claim) == 1)
    claims[claim] = id or is_spent and SPENT or false
  end
  return claims[claim]
end

-- What an index names wrongly is passed over: so many more entries are read at once, and so many in all.
local MOST_MORE, MOST_READ = 500, 4000
-- By queue: the orders that can be started now, in their order; `expired` of them stand first, with a lease that ran out.
local lines = {}

-- Whether an order of an index belongs there, as it was stored. One that is gone, damaged or elsewhere leaves it: others are served.
local function is_indexed(id, queue, status, removal)
  local ok, order = pcall(find_order, id)
  local was = ok and stored[id]
  if was and was.queue == queue and was.status == status and (status ~= 'queued' or was.due == '') then
    return true
  end
  if not (ok and order and is_changed[id]) then
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
    for _, id in ipairs(ids) do
      if strings[order_key(id)] == nil then
        names[#names + 1] = order_key(id)
      end
    end
    prefetch(names)
    for _, id in ipairs(ids) do
      if is_indexed(id, queue, status, removal) then
        kept[#kept + 1] = id
      end
    end
    local is_over = #ids < count
    first = first + count
    count = math.min(2 * count, MOST_MORE)
  until #kept >= most or is_over or first >= MOST_READ
  return kept
end

local function add_by_place(line, ids)
  local last, is_sorted, seen = 0, true, {}
  local first = #line + 1
  for _, id in ipairs(ids) do
    local order = orders[id]
    if is_waiting(order) and not seen[id] then
      local place = tonumber(order.place)
      is_sorted = is_sorted and place > last
      last = place
      line[#line + 1] = { id = id, place = place }
      seen[id] = true
    end
  end
  if not is_sorted then
    local sorted = { unpack(line, first) }
    table.sort(sorted, function(one, other) return one.place < other.place end)
    for i, each in ipairs(sorted) do
      line[first + i - 1] = each
    end
  end
end

-- Reads as many as this run can start. Those that it has put back or placed come in by their place.
local function load_line(queue)
  local keys = open_queue(queue)
  local expired = read_index(queue, 'brewing', keys.remove_leases, run_size, function(first, count)
    return redis.call('ZRANGEBYSCORE', keys.leases, '-inf', now_text, 'LIMIT', first, count)
  end)
  local ids = read_index(queue, 'queued', keys.remove_waiting, run_size, function(first, count)
    return redis.call('ZRANGE', keys.waiting, first, first + count - 1)
  end)
  local line = { at = 1 }
  for _, id in ipairs(expired) do
    local order = orders[id]
    if order.status == 'brewing' and not order.deadline then
      line[#line + 1] = { id = id, is_expired = true }
    end
  end
  for _, id in ipairs(queued_now[queue] or {}) do
    ids[#ids + 1] = id
  end
  add_by_place(line, ids)
  return line
end

-- The order of a lease that ran out, one lease fewer left; nil where that was its last, and it is cancelled.
local function take_expired(id)
  local order = find_order(id)
  if is_last_lease(order) then
    close_order(id, order, 'cancelled', 'barista_timeout')
    return nil
  end
  local taken = copy_order(order)
  taken.expiries = order.expiries + 1 .. ''
  return taken
end

local function take_next(queue)
  local line = lines[queue]
  if not line then
    line = load_line(queue)
    lines[queue] = line
  end
  while line[line.at] do
    local next_one = line[line.at]
    line.at = line.at + 1
    local order = find_order(next_one.id)
    if next_one.is_expired and order.status == 'brewing' and not order.deadline then
      local taken = take_expired(next_one.id)
      if taken then
        return next_one.id, taken
      end
    elseif is_waiting(order) then
      return next_one.id, copy_order(order)
    end
  end
end

-- The order that the barista has chosen: queued, or brewing under a lease that ran out. Else nil, and the refusal.
local function take_chosen(id)
  local order = find_order(id)
  if order and order.status == 'queued' then
    return id, copy_order(order)
  end
  if not order or order.status ~= 'brewing' or not has_run_out(key.leases(order.queue), id) then
    return nil, refuse(order)
  end
  local taken = take_expired(id)
  if not taken then
    return nil, refuse(find_order(id))
  end
  return id, taken
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
  local freed = copy_order(order)
  freed.claim, freed.deadline = '', nil
  put_order(id, freed)
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
    id, order = take_next(queue)
  else
    id, order = take_chosen(chosen)
  end
  if not id then
    local waits_ms = not order and tonumber(waits) or 0
    if waits_ms > 0 then
      idle_ms[queue] = math.max(idle_ms[queue] or 0, waits_ms)
    end
    return order or 'empty'
  end
  order.status, order.barista, order.started_at, order.claim, order.due = 'brewing', barista, now, claim, ''
  order.attempts = order.attempts + 1 .. ''
  order.deadline = new_deadline()
  put_order(id, order, 'order.started')
  return 'started', id
end)
