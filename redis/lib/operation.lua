-- operation
-- Owns the register of operations: each is one change of an order, in a file of its own.
--
-- Invariants
-- - The header of an operation's file lists its fields, in the order in which they travel.
-- - Its TypeScript descriptor lists the same fields.
-- - Fields behind a bar travel in a run if one of its operations has one of them.
-- - Fields that do not travel are nil.
-- - `run` gets the fields in that order.
-- - `run` returns the outcome; where that shows an order, also its id, and `describe` for its position.

local operations = {}
-- How many operations of a kind this run has.
local item_counts
-- Orders that this run finished, or found finished by the same barista.
local finished_now

each_run(function()
  item_counts, finished_now = {}, {}
end)

-- `idempotency_key_at` is which of its fields is an Idempotency-Key. The first one is the order's id, if it has one.
local function operation(name, run, idempotency_key_at)
  operations[name] = { run = run, idempotency_key_at = idempotency_key_at }
end

-- The usual case of an operation, in fewer steps: `run` gets where its fields stand in ARGV, and how many there are. It
-- does the same as the operation, answers it and returns true; or it does nothing and returns false.
local function usual(name, run)
  operations[name].usual = run
end

-- A line an operation: what is answered, and what is kept of it; both in pieces, each line's last one with its line
-- break; before what is kept stands one more piece. (These tables stay, so they need not grow again: their first
-- `piece_count` and `kept_count` entries belong to this run. A line is put together once, with all others: Lua hashes
-- each byte of each string that it makes.)
local pieces, kept = {}, {}
local piece_count, kept_count

each_run(function()
  piece_count, kept_count = 0, 1
end)

-- All that is kept of the run, behind its head.
local function join_kept(head)
  kept[1] = head
  return table.concat(kept, '', 1, kept_count)
end

local function drop_lines()
  pieces, kept = {}, {}
end

local function answer(line, to_keep)
  pieces[piece_count + 1], pieces[piece_count + 2] = line, '\n'
  piece_count = piece_count + 2
  kept[kept_count + 1], kept[kept_count + 2] = to_keep or line, '\n'
  kept_count = kept_count + 2
end

-- Texts of indexes of events, as lines that are kept end. (To make one costs as much as ten steps; a run has few
-- hundreds.)
local index_ends = setmetatable({}, {
  __index = function(ends, index)
    ends[index] = ' ' .. string.format('%d', index) .. '\n'
    return ends[index]
  end,
})

-- Adds an order's event, and answers with the order as it is then.
local function answer_event(outcome, verb, id, fixed, members)
  local index = add_event(verb, id, members)
  local list, at = pieces, piece_count
  list[at + 1], list[at + 2], list[at + 3], list[at + 4] = outcome, '\t{"order_id":"', id, '",'
  list[at + 5], list[at + 6], list[at + 7], list[at + 8] = fixed, ',', members, '}\n'
  piece_count = at + 8
  list, at = kept, kept_count
  list[at + 1], list[at + 2], list[at + 3], list[at + 4] = outcome, '\t=', id, index_ends[index]
  kept_count = at + 4
end

local function note_items(name, count)
  item_counts[name] = count
end

local function count_items(name)
  return item_counts[name] or 0
end

-- The refusal of a change that the order's state does not allow. An order that is not there is unknown.
local function refuse(order)
  return order and 'conflict\t' .. order.status .. '\t' .. order.barista or 'unknown'
end

-- Whether an order was last started so; where `started_at` is '' or nil: however it was.
local function was_started(order, attempts, started_at)
  return not started_at or started_at == '' or (order.started_at == started_at and order.attempts .. '' == attempts)
end

-- Whether `barista` (JSON; '' is any) may act on this brewing order.
local function holds(order, barista)
  return order and order.status == 'brewing' and (barista == '' or barista == order.barista)
end
