-- The usual start: of the oldest queued order, under no claim, where no lease ran out.

-- By queue: the ids of the oldest orders, as the index names them, `at` the next one; `new_at` that of those that this
-- run has placed; `may_be_more`: the index may name more. False where the usual way does not do.
local usual_lines

each_run(function()
  usual_lines = {}
end)

local function read_line(queue)
  check_queue(queue.name, 'brewing')
  if #queued_now * 3 ~= #news or #redis.call('ZRANGEBYSCORE', queue.leases, '-inf', now_text, 'LIMIT', 0, 1) > 0 then
    return false
  end
  local most = count_items('start') + changed_of.queued
  local ids = redis.call('ZRANGE', queue.waiting, 0, most - 1)
  load_orders(ids)
  return { ids = ids, at = 1, new_at = 1, may_be_more = #ids == most }
end

local function find_line(name)
  local queue = open_queue(name)
  local ok, line = pcall(read_line, queue)
  usual_lines[name] = ok and line
  return ok and line
end

-- What this run has placed and started, it does not put among those that wait. (The oldest come first.)
local function take_back(list, id)
  local at = 4
  while list[at] ~= id do
    at = at + 2
  end
  local last = #list
  list[at - 1], list[at] = list[last - 1], list[last]
  list[last - 1], list[last] = nil, nil
end

-- The next order: its id, whether this run has placed it, and what its record says; false where the usual way does not do, nil where there is none.
local function take_next(name, line)
  local id = line.ids[line.at]
  while id do
    local record = records[id]
    if not record or orders[id] then
      return false
    end
    local attempts, queue_name, place, holder, once, fixed = string.match(record, QUEUED_PLAIN)
    if not fixed or queue_name ~= name or string.find(fixed, '\n', 1, true) then
      return false
    end
    line.at = line.at + 1
    return id, false, attempts, place, holder, once, fixed
  end
  if line.may_be_more then
    return false
  end
  id = queued_now[line.new_at]
  while id do
    if orders[id] then
      return false
    end
    line.new_at = line.new_at + 1
    local attempts, queue_name, place, holder, once, fixed = string.match(records[id], QUEUED_PLAIN)
    if queue_name == name then
      take_back(queues[name].add_waiting, id)
      return id, true, attempts, place, holder, once, fixed
    end
    id = queued_now[line.new_at]
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
  local id, is_new, attempts, place, holder, once, fixed = take_next(queue_name, line)
  if not id then
    if id == nil then
      local waits_ms = tonumber(ARGV[at + 2])
      if waits_ms > 0 then
        note_idle(queue_name, waits_ms)
      end
      answer('empty')
      return true
    end
    usual_lines[queue_name] = false
    return false
  end

  local queue = queues[queue_name]
  if attempts == '0' then
    queue.given = queue.given + 1
  end
  attempts = next_attempt(attempts)
  local record = '1\nbrewing\n\n' .. attempts .. '\n0\n' .. queue_name .. '\n' .. place .. '\n' .. holder .. '\n' .. barista
    .. '\n' .. now .. '\n\n\n' .. once .. '\n\n\n\n\n\n\n' .. fixed
  records[id] = record
  set_record(id, record)
  if not is_new then
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
