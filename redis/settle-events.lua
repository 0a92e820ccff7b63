-- settle-events
-- Settles what a replica has handled for a durable reader, and renews its lease or hands it back.
-- Needs lib/keys.lua lib/readers.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the reader's name
-- ARGV[2]  the replica
-- ARGV[3]  its lease, ms; 0 hands it back
-- ARGV[4]  id of the last entry that it has handled; '' where there is none to settle
-- Returns  1 where the replica has the lease, else 0

settle()
if holder ~= replica then
  return 0
end
if lease_ms == 0 then
  redis.call('DEL', key.reader(name))
  return 0
end
return redis.call('PEXPIRE', key.reader(name), lease_ms)
