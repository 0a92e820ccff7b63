-- plain
-- Owns the plain orders: of the counter, queued or brewing, without code, claim, customer's id, input and reason, and
-- no lease of theirs ran out. The usual ways (usual/) make, read and change them as text.
-- Needs lib/order.lua
--
-- Invariants
-- - What a record says follows from its text alone. So it may be remembered from run to run, by that text.
-- - What an order is now is what its key holds, never what is remembered.
-- - At most REMEMBERED records are remembered.

local plain = {}
do

local REMEMBERED = 500

local END = '(%C*)\n\n\n\n\n\n\n\n\n("number":%d+,"item":"[%w_-]+","price":%d+,".+Z")$'
local QUEUED = '^' .. FORMAT .. '\nqueued' .. USUAL_START .. '\n\n\n\n' .. END
local BREWING = '^' .. FORMAT .. '\nbrewing' .. USUAL_START .. '("[^"\\%c]*")\n(%d+-%d+-%d+T%d+:%d+:%d+%.%d+Z)\n\n\n' .. END

-- Plain orders by record, and how many. (To match a record costs as much as to write one.)
local orders_of, count = {}, 0

-- Nil where the record did not match, or goes on after a line break.
local function make(attempts, queue, queue_number, holder, barista, started_at, idempotency_key, fixed)
  if not fixed or string.find(fixed, '\n', 1, true) then
    return nil
  end
  return {
    attempts = attempts, queue = queue, queue_number = queue_number, holder = holder, barista = barista,
    started_at = started_at, idempotency_key = idempotency_key, fixed = fixed,
  }
end

local function match_queued(record)
  local attempts, queue, queue_number, holder, idempotency_key, fixed = string.match(record, QUEUED)
  return make(attempts, queue, queue_number, holder, '', '', idempotency_key, fixed)
end

-- The queued order of a record; nil where it is none, or not plain.
function plain.read_queued(record)
  local order = orders_of[record] or match_queued(record)
  return order and order.barista == '' and order or nil
end

-- The brewing order of a record; nil where it is none, or not plain.
function plain.read_brewing(record)
  local order = orders_of[record] or make(string.match(record, BREWING))
  return order and order.barista ~= '' and order or nil
end

-- Remembers what a record says.
function plain.remember(record, order)
  if count >= REMEMBERED then
    orders_of, count = {}, 0
  end
  if not orders_of[record] then
    count = count + 1
  end
  orders_of[record] = order
end

-- Remembers the record of an order that was never started.
function plain.remember_new(record, queue, queue_number, holder, fixed)
  plain.remember(record, make('0', queue, queue_number, holder, '', '', '', fixed))
end

function plain.forget(record)
  if orders_of[record] then
    orders_of[record] = nil
    count = count - 1
  end
end

end
