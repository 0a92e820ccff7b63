-- usual-start
-- Owns the usual start: of the oldest queued order, under no claim, where no lease ran out.

-- By queue: the oldest orders that wait, SIZE values each: id, record, what that says, and whether this run has placed
-- it. `at` is where the next one begins. False where the usual way does not do.
local SIZE, ORDER_AT = 4, 3
local usual_lines

each_run(function()
  usual_lines = {}
end)

-- Adds an order to a line; false where it is no usual one.
local function add_to_line(line, name, id, is_new)
  local record = records[id]
  if not record or orders[id] then
    return false
  end
  local order = plain.read_queued(record)
  if not order or order.queue ~= name then
    return false
  end
  local n = #line
  line[n + 1], line[n + 2], line[n + 3], line[n + 4] = id, record, order, is_new
  return true
end

-- Reads as many as this run can start, of those that are stored and those that it has placed itself.
local function read_line(queue)
  check_queue(queue.name, 'brewing')
  if queue_rules_of(queue.name) or changed_of.queued > 0 or #queued_now * 3 ~= #news then
    return false
  end
  if #redis.call('ZRANGEBYSCORE', queue.leases, '-inf', now_text, 'LIMIT', '0', '1') > 0 then
    return false
  end
  local max_starts = count_items('start')
  local ids = redis.call('ZRANGE', queue.waiting, '0', string.format('%d', max_starts - 1))
  load_orders(ids)
  local line = { at = 1 }
  for i = 1, #ids do
    if not add_to_line(line, queue.name, ids[i], false) then
      return false
    end
  end
  local last = #line > 0 and line[#line - SIZE + ORDER_AT].queue_number
  for i = 1, #news, 3 do
    local id = news[i]
    if news[i + 2] == queue then
      -- (A count of the day that was lost begins anew: then new orders may come before others. Among themselves they
      -- come in their order.)
      local is_early = last and tonumber(news[i + 1]) <= tonumber(last)
      last = nil
      if is_early or not (#line == max_starts * SIZE or add_to_line(line, queue.name, id, true)) then
        return false
      end
    end
  end
  return line
end

local function find_line(name)
  local queue = open_queue(name)
  local ok, line = pcall(read_line, queue)
  usual_lines[name] = ok and line
  return ok and line
end

-- An order that this run has placed and started is not put among those that wait. (The oldest come first.)
local function take_back(list, id)
  local last = #list
  for at = 4, last, 2 do
    if list[at] == id then
      list[at - 1], list[at] = list[last - 1], list[last]
      list[last - 1], list[last] = nil, nil
      return
    end
  end
end

local function is_usual_start(at, width)
  local after = width > 5 and ARGV[at + 5] or ''
  return width <= 3
    or ARGV[at + 3] == '' and (width == 4 or ARGV[at + 4] == '') and (after == '' or finished_now[after])
end

usual('start', function(at, width)
  local barista, queue_name = ARGV[at], ARGV[at + 1]
  local line = usual_lines[queue_name]
  if line == false or not is_usual_start(at, width) then
    return false
  end
  if not line then
    line = find_line(queue_name)
    if not line then
      return false
    end
  end
  local next_at = line.at
  local id = line[next_at]
  if not id then
    local waits_ms = tonumber(ARGV[at + 2])
    if waits_ms > 0 then
      note_idle(queue_name, waits_ms)
    end
    answer('empty')
    return true
  end
  if orders[id] then
    usual_lines[queue_name] = false
    return false
  end
  line.at = next_at + SIZE

  local record, order = line[next_at + 1], line[next_at + 2]
  local queue, fixed = queues[queue_name], order.fixed
  local attempts = order.attempts
  if attempts == '0' then
    queue.given = queue.given + 1
  end
  attempts = next_attempt(attempts)
  plain.forget(record)
  record = BREWING_START .. attempts .. NO_EXPIRIES .. queue_name .. '\n' .. order.queue_number .. '\n' .. order.holder .. '\n' .. barista
    .. '\n' .. now .. '\n' .. NO_CLAIM .. order.idempotency_key .. NO_MORE .. fixed
  order.attempts, order.barista, order.started_at = attempts, barista, now
  plain.remember(record, order)
  records[id] = record
  set_record(id, record)
  if line[next_at + 3] then
    take_back(queue.add_waiting, id)
  else
    local list = queue.remove_waiting
    list[#list + 1] = id
  end
  local list = queue.add_leases
  local n = #list
  list[n + 1], list[n + 2] = new_deadline, id

  local members = '"status":"brewing","attempts":' .. attempts .. ',"barista":' .. barista .. ',"started_at":"' .. now .. '"'
  answer_event('started', 'order.started', id, fixed, members)
  return true
end)
