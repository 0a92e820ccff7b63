-- mend-queue
-- Mends a page of a queue whose stream and indexes disagree: what names an order that is gone, final or elsewhere is
-- dropped, a damaged order is set aside, and an order that one of them has lost is put back, under its queue number. No
-- order's record is written.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/damage.lua lib/queries.lua lib/queue-rules.lua lib/wake.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  lease of a brewing order that had none, ms, where its queue has no rules of its own; an unpaid one that had
--          no deadline gets as long
-- ARGV[3]  which part: stream, waiting, delayed, scheduled, unpaid or leases
-- ARGV[4]  where to go on: '' at the start, else as the page before says
-- Returns  {where to go on or '' at the end, dropped, put back}

local queue, lease_ms, part, cursor = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local EXAMINED = 200
local stream = key.queue(queue)
local dropped, restored = 0, 0
local rules = queue_rules_of(queue)
lease_ms = rules and rules.lease_ms or lease_ms

-- The index that an open order of this queue belongs in, and its score there; nil where it is none.
local function index_of(order)
  if not order or order.queue ~= queue then
    return nil
  end
  if order.status == 'brewing' then
    return key.leases(queue), now_ms + lease_ms
  end
  if order.status == 'scheduled' then
    return key.scheduled(queue), order.due
  end
  if order.status == 'unpaid' then
    return key.unpaid(queue), now_ms + lease_ms
  end
  if order.status ~= 'queued' then
    return nil
  end
  if order.due ~= '' then
    return key.delayed(queue), order.due
  end
  return key.waiting(queue), order.queue_number
end

local function mend_entry(entry, id, order)
  local index, score = index_of(order)
  if index and order.queue_number .. '-0' == entry then
    restored = restored + redis.call('ZADD', index, 'NX', score, id)
  else
    redis.call('XDEL', stream, entry)
    dropped = dropped + 1
  end
end

local function mend_stream()
  local from = cursor == '' and '-' or '(' .. cursor
  local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', EXAMINED)
  local ids = {}
  for i, entry in ipairs(entries) do
    ids[i] = entry[2][2]
  end
  local found = read_orders(ids)
  for i, entry in ipairs(entries) do
    mend_entry(entry[1], ids[i], found[ids[i]])
  end
  return #entries == EXAMINED and entries[EXAMINED][1] or ''
end

-- An entry that is gone is made again, unless the stream is past it: an order does without. `waiting` decides which is
-- next.
local function mend_indexed(index, id, order)
  if index_of(order) ~= index then
    redis.call('ZREM', index, id)
    dropped = dropped + 1
    return 0
  end
  local entry = order.queue_number .. '-0'
  if #redis.call('XRANGE', stream, entry, entry) == 0 and try('XADD', stream, entry, 'order_id', id) then
    restored = restored + 1
  end
  return 1
end

-- `cursor` is how many were passed over as right.
local function mend_index(index)
  local first = tonumber(cursor) or 0
  local ids = redis.call('ZRANGE', index, first, first + EXAMINED - 1)
  local found = read_orders(ids)
  local kept = 0
  for _, id in ipairs(ids) do
    kept = kept + mend_indexed(index, id, found[id])
  end
  return #ids == EXAMINED and string.format('%.0f', first + kept) or ''
end

local INDEXES = {
  waiting = key.waiting(queue), delayed = key.delayed(queue), scheduled = key.scheduled(queue), unpaid = key.unpaid(queue),
  leases = key.leases(queue),
}
local next_cursor
if part == 'stream' then
  next_cursor = mend_stream()
else
  next_cursor = mend_index(INDEXES[part])
end
-- One that was dropped may have stood in the way of others.
wake_baristas(queue, dropped + restored)
return { next_cursor, dropped, restored }
