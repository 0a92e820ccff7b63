-- wake
-- Owns the waking of baristas who wait on an empty queue.
-- Needs lib/keys.lua
--
-- Invariants
-- - Nothing is published unless a barista waits.

-- Wakes, on every replica, as many as there are orders to start.
local function wake_baristas(queue, count)
  if count > 0 and redis.call('EXISTS', key.idle(queue)) == 1 then
    redis.call('PUBLISH', key.wake, string.format('%.0f %s', count, queue))
  end
end
