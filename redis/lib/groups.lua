-- groups
-- Owns how consumer groups of a stream are read.

-- The one consumer of a group that one replica at a time reads: a lease says which. So replicas come and go, and leave
-- no consumer behind.
local CONSUMER = 'server'

-- The id of the last entry that the group has given out; nil where there is no group.
local function last_given(stream, group)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, found in ipairs(groups.err and {} or groups) do
    -- Flat pairs: name, consumers, pending, last-delivered-id …
    if found[2] == group then
      return found[8]
    end
  end
end

-- Entries for a consumer. `from` is '0' for those that it has, '>' for new ones.
local function read_group(stream, group, consumer, from, most)
  local reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most, 'STREAMS', stream, from)
  return reply and reply[1][2] or {}
end
