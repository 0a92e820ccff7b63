-- measures
-- Owns how queues are measured.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/queries.lua lib/waits.lua
--
-- Invariants
-- - A damaged index counts as empty: one of a queue hides no other.

local function count(index)
  return try('ZCARD', index) or 0
end

-- Orders that are queued, those that failed and wait to be tried again included.
local function depth_of(queue)
  return count(key.waiting(queue)) + count(key.delayed(queue))
end

-- How long the oldest queued order waits, ms; -1 where there is none.
local function oldest_wait_ms(queue)
  local oldest = (try('ZRANGE', key.waiting(queue), 0, 0) or {})[1]
  local order = oldest and read_orders({ oldest })[oldest]
  local since_ms = order and waits_since_ms(oldest, order)
  return since_ms and now_ms - since_ms or -1
end
