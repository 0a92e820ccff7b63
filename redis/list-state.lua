-- list-state
-- Lists the open orders of a queue that are in one state, in the order of the index that names them, a page at a time:
-- the queued ones as they are to be started, others by when their time is over or begins.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua lib/pages.lua lib/try.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  reserved, unpaid, scheduled, queued or brewing
-- ARGV[2]  queue
-- ARGV[3]  most orders a page
-- ARGV[4]  where to go on: which of the state's indexes, from 1
-- ARGV[5]  its score there
-- ARGV[6]  the id to go on after, or '' for the first page
-- Returns  lines: 'page' and where to go on or '' (fields with colons between: index, score, id), then the orders as
--          JSON, with position and expected wait

local state, queue, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local from_index, from_score, after = tonumber(ARGV[4]), ARGV[5], ARGV[6]

local INDEXES = {
  reserved = queue == COUNTER and { key.reserved } or {},
  unpaid = { key.unpaid(queue) },
  scheduled = { key.scheduled(queue) },
  -- Those that failed, and wait to be tried again, come last.
  queued = { key.waiting(queue), key.delayed(queue) },
  brewing = { key.leases(queue) },
}

local ids, places, has_more = {}, {}, false

-- The next ids of an index and their scores. The cursor's order may have left it meanwhile: its score says where it
-- stood. Else it goes on by rank: any number of orders may have one score.
local function read_index(name, is_from)
  if is_from and try('ZSCORE', name, after) == from_score then
    local rank = redis.call('ZRANK', name, after)
    return redis.call('ZRANGE', name, rank + 1, rank + EXAMINED, 'WITHSCORES')
  end
  return try('ZRANGEBYSCORE', name, is_from and from_score or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, EXAMINED) or {}
end

-- Adds those of an index that come after the cursor.
local function add_candidates(index, name)
  local is_from = index == from_index and after ~= ''
  local found = read_index(name, is_from)
  has_more = has_more or #found == 2 * EXAMINED
  for at = 1, #found, 2 do
    local id, score = found[at], found[at + 1]
    if not (is_from and score == from_score and id <= after) then
      ids[#ids + 1], places[#places + 1] = id, index .. ':' .. score .. ':' .. id
    end
  end
end

for index, name in ipairs(INDEXES[state]) do
  if index >= from_index and not has_more then
    add_candidates(index, name)
  end
end

local function is_wanted(_, order)
  return order.status == state
end

local lines, last = make_page(ids, limit, is_wanted, describe_order)
lines[1] = 'page\t' .. (places[last or has_more and #places or 0] or '')
return table.concat(lines, '\n')
