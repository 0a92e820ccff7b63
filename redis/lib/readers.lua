-- readers
-- Owns which replica a durable reader reads on, and how far that one has handled the events.
-- Needs lib/keys.lua
--
-- Invariants
-- - A replica settles what it has handled, and only while no other one has the lease.

local name, replica, lease_ms, handled = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local MAX_IN_HAND = 1000
-- The replica that has the lease; nil where it has lapsed.
local holder = redis.call('GET', key.reader(name)) or nil

-- Settles all entries in hand up to the one that was handled last.
local function settle()
  if handled == '' or holder and holder ~= replica then
    return
  end
  -- (Where there is no group, nothing is in hand.)
  local pending = redis.pcall('XPENDING', key.events, name, '-', handled, MAX_IN_HAND)
  local ids = {}
  for i, entry in ipairs(pending.err and {} or pending) do
    ids[i] = entry[1]
  end
  if #ids > 0 then
    redis.call('XACK', key.events, name, unpack(ids))
  end
  if holder or #ids > 0 then
    redis.call('HSET', key.readers, name, handled)
  end
end
