-- declare-queues
-- Declares queues of machines, with their rules: in force on all servers from now on. A queue that was declared before
-- gets these rules. (Where a key of the shop is damaged, the server starts all the same, and names it.)
-- Needs lib/keys.lua lib/queue-rules.lua lib/format.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per queue: name, and its rules as lib/queue-rules.lua keeps them
-- Returns  the names of those that had other rules

local changed = {}
for i = 1, #ARGV, 2 do
  local name, rules = ARGV[i], ARGV[i + 1]
  local before = try('HGET', key.queue_rules, name)
  if before ~= rules then
    try('HSET', key.queue_rules, name, rules)
    if before then
      changed[#changed + 1] = name
    end
  end
  try('SADD', key.queues, name)
end
return changed
