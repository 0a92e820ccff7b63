-- commit
-- Runs the operations of one turn of a server: it reads, changes orders in memory, writes once, and answers a line an
-- operation.
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the run's slot: `<replica>:<n>`; of a slot, one run at a time is under way
-- ARGV[2]  the run's number, growing by slot
-- ARGV[3]  lease, ms
-- ARGV[4]  how many leases of one order may run out before it is cancelled
-- ARGV[5]  how long a final order is kept, and an Idempotency-Key, ms
-- ARGV[6]  capacity of a bucket, tokens
-- ARGV[7]  refill of a bucket, tokens a second
-- ARGV[8]  replica
-- ARGV[9]  commit; or recall: the answer of a run that may have run, which then never runs later
-- ARGV[…]  per kind of operation: its name, how many follow, how many fields each has, and these, as its file lists them
-- Returns  a line an operation, in the order given: outcome, and what its file says, separated by tabs;
--          failed, why; damaged: the order can't be read. For a recalled run that has not run: 'none'. For an old run: 'stale'
--
-- (Lua searches for each name that a function takes of the chunk that it stands in, but not for those that the function
-- around it has taken. So there are three levels: to define all of a run costs a third less than in one.)
-- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua lib/format.lua

local function commit()
  -- Needs lib/run.lua

  local function define_operations()
    -- Needs operations/*.lua
  end

  define_operations()
  return run()
end

return commit()
