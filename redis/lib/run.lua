-- run
-- Owns the course of a run: its operations, one after the other, what is written of them, and their answers.
-- Needs lib/changes.lua lib/writes.lua lib/label-writes.lua lib/admission.lua lib/leases.lua lib/operation.lua
-- Needs lib/plain.lua
--
-- Invariants
-- - An operation that fails has changed nothing, and the others go on.
-- - A run that has run is answered from what was kept of it, and changes nothing again.

local run
do

local RUN_KEPT_MS = '3600000'
local LARGE_REPLY = 262144 -- results are in it: they are not held until the next run
local slot, run_number, retention_ms, replica, mode

each_run(function()
  slot, run_number, retention_ms, replica, mode = ARGV[1], tonumber(ARGV[2]), ARGV[5], ARGV[8], ARGV[9]
end)

-- The answer of a run that has run: kept is its entry of events, and a line an operation. A line that showed an order
-- ends with its id and the index of its event.
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
      local input = order.input ~= '' and ',"input":' .. order.input or ''
      answers[#answers + 1] = outcome .. '\t{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. members .. input .. result .. '}'
    else
      answers[#answers + 1] = order and outcome .. '\t' .. encode_json(id, order) or line
    end
  end
  return table.concat(answers, '\n') .. '\n'
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

-- Reads ahead what the operations name.
local function read_items()
  local ids, names = {}, {}
  local at = FIRST
  while ARGV[at] do
    local count, width = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local idempotency_key_at, has_id = operations[ARGV[at]].idempotency_key_at, ARGV[at] ~= 'start'
    idempotency_key_at = idempotency_key_at and idempotency_key_at <= width and idempotency_key_at
    note_items(ARGV[at], count)
    at = at + 3
    if has_id then
      for first = at, at + (count - 1) * width, width do
        ids[#ids + 1] = ARGV[first]
        if idempotency_key_at and ARGV[first + idempotency_key_at - 1] ~= '' then
          names[#names + 1] = key.idempotency_key(ARGV[first + idempotency_key_at - 1])
        end
      end
    end
    at = at + count * width
  end
  load_orders(ids)
  read_strings(names)
end

-- The answer for an operation that failed.
local function explain(fault)
  -- (Redis throws a table of its own.)
  local text = type(fault) == 'table' and fault.err or tostring(fault)
  if text == DAMAGED.err then
    return 'damaged'
  end
  return 'failed\t' .. string.gsub(text, '%c', ' ')
end

-- The final orders that lines show, by id; and the lines that wait until all is written, four values each: the indexes
-- of their piece and of what is kept of them, outcome and id.
local shown, waiting

each_run(function()
  shown, waiting = {}, {}
end)

local function run_item(run, at, width)
  local events_before = event_count
  local ok, line, id, how = pcall(run, unpack(ARGV, at, at + width - 1))
  if not ok then
    answer(explain(line))
  elseif how == 'describe' then
    -- (An order has its position once all is written.)
    shown[id] = true
    answer('')
    local n = #waiting
    waiting[n + 1], waiting[n + 2], waiting[n + 3], waiting[n + 4] = piece_count - 1, kept_count - 1, line, id
  elseif id then
    local order = orders[id]
    shown[id] = FINAL[order.status]
    -- (Without an event of its own, the line itself is kept: the order may have changed by the time it is asked for.)
    local to_keep = event_count > events_before and line .. '\t=' .. id .. ' ' .. order.event
    answer(encode_line(line, id, order), to_keep)
  else
    answer(line)
  end
end

local function run_items()
  read_items()
  local at = FIRST
  while ARGV[at] do
    local operation = operations[ARGV[at]]
    local count, width = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    at = at + 3
    local run_usual = operation.usual
    for first = at, at + (count - 1) * width, width do
      if not run_usual or not run_usual(first, width) then
        run_item(operation.run, first, width)
      end
    end
    at = at + count * width
  end
end

local complete_lines
do

-- Says how many events of each type this run has: the server counts by them. What is answered a second time has none.
local function tell_events()
  local counts = {}
  for at = 1, 2 * event_count, 2 do
    local name = events[at]
    if name == 'order.cancelled' then
      name = name .. ' ' .. (string.match(events[at + 1], '"reason":"([%l_]+)"') or '')
    end
    counts[name] = (counts[name] or 0) + 1
  end
  local words = {}
  for name, count in pairs(counts) do
    words[#words + 1] = count .. ' ' .. name
  end
  if #words > 0 then
    answer('told\t' .. now .. '\t' .. table.concat(words, '\t'))
  end
end

-- Adds the final orders that no line shows, for customers whom this replica holds; then describes what is to be
-- described, and says what happened.
function complete_lines()
  for i = 1, #ended do
    local id = ended[i]
    local order = orders[id]
    if not shown[id] and order.holder ~= '' then
      answer('final\t' .. encode_json(id, order), 'final\t=' .. id .. ' ' .. order.event)
    end
  end
  for i = 1, #waiting, 4 do
    local id = waiting[i + 3]
    local line = waiting[i + 2] .. '\t' .. describe_order(id, orders[id])
    pieces[waiting[i]], kept[waiting[i + 1]] = line, line
  end
  tell_events()
end

end

-- All lines: a text, or a list of few. (Of more than 8 KB Lua would make several, and put them together again.)
local PIECES_A_TEXT = 200
local function join_lines()
  local texts, length = {}, 0
  for first = 1, piece_count, PIECES_A_TEXT do
    local text = table.concat(pieces, '', first, math.min(first + PIECES_A_TEXT - 1, piece_count))
    texts[#texts + 1] = text
    length = length + #text
  end
  if length > LARGE_REPLY then
    drop_lines()
  end
  return #texts == 1 and texts[1] or texts
end

function run()
  local answer = answer_again()
  if answer then
    return answer
  end
  run_items()
  add_refusals()
  write_admission(retention_ms)
  write_waits()
  local entry = write_changes(replica, retention_ms)
  complete_lines()
  redis.call('SET', key.run(slot), join_kept(ARGV[2] .. '\n' .. entry .. '\n'), 'PX', RUN_KEPT_MS)
  return join_lines()
end

end
