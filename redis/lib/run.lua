-- run
-- Owns the course of a run: its operations, one after the other, what is written of them, and their answers.
-- Needs lib/changes.lua lib/writes.lua lib/door.lua lib/leases.lua lib/operation.lua
--
-- Invariants
-- - An operation that fails has changed nothing, and the others go on.
-- - A run that has run is answered from what was kept of it, and changes nothing again.

local RUN_KEPT_MS = 3600000
local slot, run_number, retention_ms, replica, mode = ARGV[1], tonumber(ARGV[2]), ARGV[5], ARGV[8], ARGV[9]

-- The answer of a run that has run: kept is its entry of events, and a line an operation. A line that showed an order ends with
-- its id and the index of its event.
local function show_again(entry, lines)
  local fields = entry ~= '' and (try('XRANGE', key.events, entry, entry) or {})[1]
  local answers = {}
  for line in string.gmatch(lines, '([^\n]+)') do
    local outcome, id, index = string.match(line, '^(.*)\t=(%S+) (%d+)$')
    local ok, order = true, nil
    if id then
      ok, order = pcall(find_order, id)
    end
    if not ok then
      answers[#answers + 1] = 'damaged'
    elseif order and fields then
      local members = string.match(fields[2][index * 2], '^[^\t]*\t(.*)$')
      local result = order.result ~= '' and string.find(members, '"status":"ready"', 1, true) and ',"result":' .. order.result or ''
      answers[#answers + 1] = outcome .. '\t{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members .. result .. '}'
    else
      answers[#answers + 1] = order and outcome .. '\t' .. encode_json(id, order) or line
    end
  end
  return table.concat(answers, '\n')
end

-- The answer where this run, or a later one of its slot, has run, or where it is never to run; else nil.
local function answer_again()
  local kept_number, kept_entry, kept_lines = string.match(try('GET', key.run(slot)) or '', '^(%d+)\n([^\n]*)\n(.*)$')
  kept_number = tonumber(kept_number) or 0
  if kept_number == run_number then
    return kept_lines == '' and 'none' or show_again(kept_entry, kept_lines)
  end
  if kept_number > run_number then
    return 'stale'
  end
  if mode == 'recall' then
    redis.call('SET', key.run(slot), ARGV[2] .. '\n\n', 'PX', RUN_KEPT_MS)
    return 'none'
  end
end

local FIRST = 10
-- The operations in their order, and from where to where their fields stand. Reads ahead what they name.
local function read_items()
  local items, first, last, names = {}, {}, {}, {}
  local at = FIRST
  while at <= #ARGV do
    local own = find_operation(ARGV[at])
    local count = tonumber(ARGV[at + 1])
    note_items(ARGV[at], count)
    local width, run_item, once_at = own[1], own[2], own[3]
    local has_id = ARGV[at] ~= 'start'
    at = at + 2
    for _ = 1, count do
      items[#items + 1] = run_item
      first[#items] = at
      last[#items] = at + width - 1
      if has_id then
        names[#names + 1] = order_key(ARGV[at])
      end
      if once_at and ARGV[at + once_at - 1] ~= '' then
        names[#names + 1] = key.once(ARGV[at + once_at - 1])
      end
      at = at + width
    end
  end
  prefetch(names)
  return items, first, last
end

-- What is answered for an operation that failed.
local function explain(fault)
  -- (Redis throws a table of its own.)
  local text = type(fault) == 'table' and fault.err or tostring(fault)
  if text == DAMAGED.err then
    return 'damaged'
  end
  return 'failed\t' .. string.gsub(text, '%c', ' ')
end

-- A line an operation: what is answered, and what is kept of it. Third: the orders that they show, by id.
local function run_items()
  local items, first, last = read_items()
  local lines, kept, shown = {}, {}, {}
  for i, run_item in ipairs(items) do
    local events_before = #events
    local ok, outcome, id, how = pcall(run_item, unpack(ARGV, first[i], last[i]))
    if not ok then
      lines[i] = explain(outcome)
      kept[i] = lines[i]
    elseif not id then
      lines[i] = outcome
      kept[i] = outcome
    else
      shown[id] = true
      -- A described order has its position once all is written.
      lines[i] = how ~= 'describe' and encode_line(outcome, id, orders[id]) or { outcome, id }
      local index = #events > events_before and orders[id].event
      -- (Without an event of its own, the line itself is kept: the order may have changed by the time it is asked for.)
      kept[i] = index and how ~= 'describe' and outcome .. '\t=' .. id .. ' ' .. index or lines[i]
    end
  end
  return lines, kept, shown
end

-- Adds the final orders that no line shows, for customers whom this replica holds; then describes what is to be described.
local function complete_lines(lines, kept, shown)
  for i = 1, #changed do
    local id = changed[i]
    local order = orders[id]
    if is_final(order) and not shown[id] and order.holder ~= '' then
      lines[#lines + 1] = 'final\t' .. encode_json(id, order)
      kept[#lines] = 'final\t=' .. id .. ' ' .. order.event
    end
  end
  for i = 1, #lines do
    local line = lines[i]
    if type(line) == 'table' then
      lines[i] = line[1] .. '\t' .. describe_order(line[2], orders[line[2]])
      kept[i] = lines[i]
    end
  end
end

local function run()
  local answer = answer_again()
  if answer then
    return answer
  end
  local lines, kept, shown = run_items()
  add_refusals()
  write_door(retention_ms)
  write_waits()
  local entry = write_changes(replica, retention_ms)
  complete_lines(lines, kept, shown)
  redis.call('SET', key.run(slot), ARGV[2] .. '\n' .. entry .. '\n' .. table.concat(kept, '\n'), 'PX', RUN_KEPT_MS)
  return table.concat(lines, '\n')
end
