-- leases
-- Owns the times that orders are given: leases of baristas, and the recent waits that finishing notes.
-- Needs lib/changes.lua lib/queue-rules.lua lib/waits.lua

-- How many leases of one order may run out, and when a lease of this run ends (ms since 1970), at the counter.
local max_attempts, new_deadline
-- Waits of this run, by queue: the first of a run stands for all of it.
local waits

each_run(function()
  local lease_ms = tonumber(ARGV[3])
  max_attempts = tonumber(ARGV[4])
  new_deadline = string.format('%d', now_ms + lease_ms)
  waits = {}
end)

-- (Making a text of a number costs more than all else that a start does to its order.)
local NEXT_ATTEMPT = { ['0'] = '1', ['1'] = '2', ['2'] = '3' }

local function next_attempt(attempts)
  return NEXT_ATTEMPT[attempts] or attempts + 1 .. ''
end

-- How often an order of the queue may fail, and how many of its leases may run out.
local function max_attempts_of(queue)
  local rules = queue_rules_of(queue)
  return rules and rules.max_attempts or max_attempts
end

-- When a lease of this run ends, ms since 1970.
local function new_deadline_of(queue)
  local rules = queue_rules_of(queue)
  if not rules then
    return new_deadline
  end
  rules.deadline = rules.deadline or string.format('%d', now_ms + rules.lease_ms)
  return rules.deadline
end

-- Whether the order's lease, if it runs out, was its last.
local function is_last_lease(order)
  return order.expiries + 1 >= max_attempts_of(order.queue)
end

-- Whether the time of an order is over, by this index of deadlines. A new deadline of this run counts.
local function has_run_out(index, id)
  local order = orders[id]
  local deadline_ms = order and order.deadline or redis.call('ZSCORE', index, id)
  return deadline_ms and tonumber(deadline_ms) <= now_ms or false
end

-- How long an order took from placed to ready, ms; nil where that says nothing of others: it was scheduled, or another
-- of this run stands for all.
local function read_wait(queue, id, fixed)
  local placed_at_ms = not waits[queue] and not string.find(fixed, '"not_before":"', 1, true) and placed_ms(id, queue)
  return placed_at_ms and now_ms - placed_at_ms or nil
end

local function note_wait(queue, wait_ms)
  waits[queue] = waits[queue] or wait_ms
end

local function write_waits()
  for queue, wait_ms in pairs(waits) do
    pcall(keep_wait, queue, wait_ms)
  end
end
