-- mend-queue
-- Mends a page of a queue whose stream, places and leases disagree: what names an order that is gone, final or elsewhere is dropped,
-- a damaged order is set aside, and an order that one of the three has lost is put back, at its place.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  lease of a brewing order that had none, ms
-- ARGV[3]  which of the three: stream, waiting or leases
-- ARGV[4]  where to go on: '' at the start, else as the page before says
-- Returns  {where to go on or '' at the end, dropped, put back}

local queue, lease_ms, part, cursor = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local EXAMINED = 200
local dropped, restored = 0, 0

local function is_of(order, status)
  return order and order.queue == queue and order.status == status
end

local function mend_entry(entry, id)
  local order, fault = read_order(id, true)
  if fault and fault ~= NONE then
    set_aside(id)
  end
  local is_kept = order and order.entry == entry and (is_of(order, 'queued') or is_of(order, 'brewing'))
  if not is_kept then
    drop_entry(queue, entry)
    dropped = dropped + 1
  elseif order.status == 'queued' then
    restored = restored + redis.call('ZADD', key.waiting(queue), 'NX', order.place, id)
  else
    restored = restored + redis.call('ZADD', key.leases(queue), 'NX', now_ms + lease_ms, id)
  end
end

local function mend_stream()
  local from = cursor == '' and '-' or '(' .. cursor
  local entries = redis.call('XRANGE', key.queue(queue), from, '+', 'COUNT', EXAMINED)
  for _, entry in ipairs(entries) do
    mend_entry(entry[1], entry[2][2])
  end
  return #entries == EXAMINED and entries[EXAMINED][1] or ''
end

-- An entry that is gone is made anew, behind all others: the order is claimed from now on, and not read.
local function mend_indexed(index, status, id)
  local order, fault = read_order(id, true)
  if not is_of(order, status) then
    drop_from(index, id, fault)
    dropped = dropped + 1
    return 0
  end
  if #redis.call('XRANGE', key.queue(queue), order.entry, order.entry) == 0 then
    write_order(id, order, { entry = redis.call('XADD', key.queue(queue), '*', 'order_id', id), read = '1' })
    restored = restored + 1
  end
  return 1
end

-- `cursor` is how many were passed over as right.
local function mend_index(index, status)
  local first = tonumber(cursor) or 0
  local ids = redis.call('ZRANGE', index, first, first + EXAMINED - 1)
  local kept = 0
  for _, id in ipairs(ids) do
    kept = kept + mend_indexed(index, status, id)
  end
  return #ids == EXAMINED and string.format('%.0f', first + kept) or ''
end

local next_cursor
if part == 'stream' then
  next_cursor = mend_stream()
elseif part == 'waiting' then
  next_cursor = mend_index(key.waiting(queue), 'queued')
else
  next_cursor = mend_index(key.leases(queue), 'brewing')
end
if part ~= 'leases' and restored > 0 then
  wake_baristas(queue, restored)
end
return { next_cursor, dropped, restored }
