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
-- ARGV[…]  per kind of operation: its name, how many follow, how many fields each has, and these, as its file lists
--          them
-- Returns  a text, or a list of them to be put together: a line an operation, in the order given: outcome, and what its
--          file says, separated by tabs; failed, why; damaged: the order can't be read. Last: told, the run's time, and
--          how many events of each type it has. For a recalled run that has not run: 'none'. For an old run: 'stale'
--
-- Redis keeps this function, and all that it has defined, from run to run: defining it costs as much as four
-- operations. So `each_run` alone sets the state of one run.
-- (Lua searches for each name that a function takes of the chunk that it stands in, and a function takes 60 at most. So
-- there are levels, and each operation stands in a function of its own. A function has 200 names of its own at most:
-- large parts keep theirs in blocks.)

local KEYS, ARGV

local starts = {}
local function each_run(start)
  starts[#starts + 1] = start
end

local function define()
  -- Needs lib/keys.lua lib/clock.lua lib/try.lua lib/order.lua lib/format.lua

  local function define_run()
    -- Needs lib/run.lua

    -- Needs each operations/*.lua usual/*.lua
    return run
  end

  return define_run()
end

-- (Where Redis loads a function, it has no library yet: the first run defines.)
local run
redis.register_function('$NAME', function(keys, args)
  KEYS, ARGV = keys, args
  run = run or define()
  for i = 1, #starts do
    starts[i]()
  end
  return run()
end)
