-- commit
-- Runs the operations of one turn of a server: it reads, changes orders in memory, writes once, and answers a line an operation.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the run's slot: `<replica>:<n>`; of a slot, one run at a time is under way
-- ARGV[2]  the run's number, growing by slot
-- ARGV[3]  lease, ms
-- ARGV[4]  how many leases of one order may run out before it is cancelled
-- ARGV[5]  how long a final order is kept, and an Idempotency-Key, ms
-- ARGV[6]  capacity of a bucket, tokens
-- ARGV[7]  refill of a bucket, tokens a second
-- ARGV[8]  replica
-- ARGV[9]  commit; or recall: the answer of a run that may have run, which then never runs later
-- ARGV[…]  per kind of operation: its name, how many follow, and of each the fields that its file lists
-- Returns  a line an operation, in the order given: outcome, and what its file says, separated by tabs;
--          failed, why; damaged: the order can't be read. For a recalled run that has not run: 'none'. For an old run: 'stale'
--
-- What a function names is closed over without a search for it in functions within, so the run is a function within the chunk, and
-- the operations are in one within the run.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua lib/format.lua

local function commit()
-- Needs lib/changes.lua lib/held-claims.lua lib/door.lua lib/leases.lua lib/operation.lua

local function define_operations()
-- Needs operations/*.lua
end
define_operations()

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

local FIRST = 10
local function read_items()
  local items, first, last, names = {}, {}, {}, {}
  local at = FIRST
  while at <= #ARGV do
    local own = find_operation(ARGV[at])
    local count = tonumber(ARGV[at + 1])
    note_items(ARGV[at], count)
    local width, run, once_at = own[1], own[2], own[3]
    local has_id = ARGV[at] ~= 'start'
    at = at + 2
    for _ = 1, count do
      items[#items + 1] = run
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

local function explain(fault)
  -- (Redis throws a table of its own.)
  local text = type(fault) == 'table' and fault.err or tostring(fault)
  if text == DAMAGED.err then
    return 'damaged'
  end
  return 'failed\t' .. string.gsub(text, '%c', ' ')
end

local items, first, last = read_items()
local lines, kept, shown = {}, {}, {}
for i, run in ipairs(items) do
  local events_before = #events
  local ok, outcome, id, how = pcall(run, unpack(ARGV, first[i], last[i]))
  if not ok then
    lines[i] = explain(outcome)
    kept[i] = lines[i]
  elseif not id then
    lines[i] = outcome
    kept[i] = outcome
  else
    shown[id] = true
    -- A described order has its position once all is written.
    lines[i] = how ~= 'describe' and outcome .. '\t' .. show_order(id, orders[id]) or { outcome, id }
    local index = #events > events_before and event_of[id]
    -- (Without an event of its own, the line itself is kept: the order may have changed by the time it is asked for.)
    kept[i] = index and how ~= 'describe' and outcome .. '\t=' .. id .. ' ' .. index or lines[i]
  end
end

add_refusals()
write_door(retention_ms)
write_waits()
local entry = write_changes(replica, retention_ms)
-- Final orders that no line shows, for customers whom this replica holds.
for _, id in ipairs(changed) do
  local order = orders[id]
  if is_final(order) and not shown[id] and order.holder ~= '' then
    lines[#lines + 1] = 'final\t' .. encode_json(id, order)
    kept[#lines] = 'final\t=' .. id .. ' ' .. event_of[id]
  end
end
for i, line in ipairs(lines) do
  if type(line) == 'table' then
    lines[i] = line[1] .. '\t' .. describe_order(line[2], orders[line[2]])
    kept[i] = lines[i]
  end
end
redis.call('SET', key.run(slot), ARGV[2] .. '\n' .. entry .. '\n' .. table.concat(kept, '\n'), 'PX', RUN_KEPT_MS)
return table.concat(lines, '\n')

end

return commit()
