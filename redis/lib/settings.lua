-- settings
-- Owns the shop's settings.
-- Needs lib/keys.lua lib/queue-rules.lua
--
-- Invariants
-- - Settings are kept as JSON literals.
-- - A setting that was never changed is not kept.

local DEFAULTS = {
  open = 'true',
  capacity = 'null',
  require_code = 'false',
  drinks_per_code = '10',
  code_period_seconds = '300',
  max_open_per_customer = 'null',
  customer_timeout_seconds = '900',
  payment = '"off"',
  payment_timeout_seconds = '600',
  currency = '"eur"',
}

-- The fields of a hash as a table.
local function read_hash(name)
  local list = redis.call('HGETALL', name)
  local fields = {}
  for i = 1, #list, 2 do
    fields[list[i]] = list[i + 1]
  end
  return fields
end

local kept_settings
each_run(function()
  kept_settings = nil
end)

local function setting(name)
  kept_settings = kept_settings or setmetatable(read_hash(key.settings), { __index = DEFAULTS })
  return kept_settings[name]
end

-- All settings as a JSON object.
local function encode_settings()
  local names = {
    'open', 'capacity', 'require_code', 'drinks_per_code', 'code_period_seconds', 'max_open_per_customer',
    'customer_timeout_seconds', 'payment', 'payment_timeout_seconds', 'currency',
  }
  local members = {}
  for i, name in ipairs(names) do
    members[i] = '"' .. name .. '":' .. setting(name)
  end
  return '{' .. table.concat(members, ',') .. '}'
end

-- How many orders of a queue of machines are open: scheduled, queued or brewing.
local function count_open_in(queue)
  return redis.call('ZCARD', key.waiting(queue)) + redis.call('ZCARD', key.delayed(queue))
    + redis.call('ZCARD', key.scheduled(queue)) + redis.call('ZCARD', key.leases(queue))
end

-- How many orders of the counter are open: reserved, unpaid, scheduled, queued or brewing.
local function count_open()
  local open = redis.call('ZCARD', key.reserved)
  for _, queue in ipairs(redis.call('SMEMBERS', key.queues)) do
    if not queue_rules_of(queue) then
      open = open + count_open_in(queue) + redis.call('ZCARD', key.unpaid(queue))
    end
  end
  return open
end
