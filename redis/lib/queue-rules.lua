-- queue-rules
-- Owns the rules of queues of machines, as their servers have declared them.
-- Needs lib/keys.lua lib/try.lua
--
-- Invariants
-- - The counter has none here: what it goes by comes with each run.
-- - Rules that can't be read are as none.

local RULES = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+%.?%d*)$'
-- By queue; false where there are none.
local queue_rules = {}

each_run(function()
  if next(queue_rules) then
    queue_rules = {}
  end
end)

-- The rules of a queue; false where it has none of its own.
local function queue_rules_of(queue)
  local rules = queue_rules[queue]
  if rules == nil then
    local lease_ms, max_attempts, retention_ms, capacity, limit_capacity, limit_refill_per_second =
      string.match(queue ~= COUNTER and try('HGET', key.queue_rules, queue) or '', RULES)
    rules = lease_ms and {
      lease_ms = tonumber(lease_ms),
      max_attempts = tonumber(max_attempts),
      retention_ms = retention_ms, -- as text: Redis is given it for each order that ends
      capacity = tonumber(capacity), -- most open orders
      limit_capacity = tonumber(limit_capacity), -- of an address's bucket
      limit_refill_per_second = tonumber(limit_refill_per_second),
    } or false
    queue_rules[queue] = rules
  end
  return rules
end
