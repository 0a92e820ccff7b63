-- Stands first in every script (src/redis/script.ts puts it there): the shop's keys, the clock, and how a run of many items goes.
-- KEYS[1]  the shop's prefix, `{main}:`. It names no key; its hash tag puts the script into the shop's slot,
--          and every key of the shop is built from it here.
-- ARGV     is each script's own. Batches: shared arguments first, then `width` arguments for each item.

local shop = KEYS[1]
local key = {
  claims = shop .. 'claims',
  code = shop .. 'code',
  damaged = shop .. 'damaged',
  events = shop .. 'events',
  menu = shop .. 'menu',
  orders = shop .. 'orders',
  queues = shop .. 'queues',
  reserved = shop .. 'reserved',
  settings = shop .. 'settings',
  wake = shop .. 'wake',
  bell = function(id) return shop .. 'bell:' .. id end,
  leases = function(queue) return shop .. 'leases:' .. queue end,
  numbers = function(date) return shop .. 'numbers:' .. date end,
  open_of = function(customer_id) return shop .. 'open:of:' .. customer_id end,
  once = function(idempotency_key) return shop .. 'once:' .. idempotency_key end,
  order = function(id) return shop .. 'order:' .. id end,
  orders_of = function(customer_id) return shop .. 'orders:of:' .. customer_id end,
  queue = function(queue) return shop .. 'queue:' .. queue end,
  spent = function(period) return shop .. 'spent:' .. period end,
  waiting = function(queue) return shop .. 'waiting:' .. queue end,
  waits = function(queue) return shop .. 'waits:' .. queue end,
}

local DAY_MS = 86400000
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- Days since 1970 as YYYY-MM-DD (Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
local function date_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local day_of_era = z - era * 146097
  local year_of_era = math.floor(
    (day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365
  )
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local month_from_march = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * month_from_march + 2) / 5) + 1
  local month = month_from_march < 10 and month_from_march + 3 or month_from_march - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, day)
end

local today = math.floor(now_ms / DAY_MS)
local date = date_of(today)
local now_text = string.format('%.0f', now_ms)
-- The clock as RFC 3339 with milliseconds, as orders tell it.
local now = string.format(
  '%sT%02d:%02d:%02d.%03dZ',
  date, now_ms / 3600000 % 24, now_ms / 60000 % 60, now_ms / 1000 % 60, now_ms % 1000
)

-- Runs a command whose failure must not undo what it comes with: its reply, or nil where its key holds a value of another type.
-- (inspect-shop.lua finds such keys, and the sweeper logs them.)
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    return nil
  end
  return reply
end

-- Writes of a run that go to the same key travel together: a run has many items, and most of its keys are the same for all.
-- A script that reads such a key before the end of the run calls write_gathered first.
-- Additions are gathered only for keys that the run has read before, so that they succeed. A removal may fail: what an index
-- names too much is dropped where it is met.
local gathered = {}
local MOST_GATHERED = 1000
local BEFORE_VALUES = { XACK = 'baristas' }
-- How long gathered keys are kept after they are written, ms; for ever where nothing stands here.
local kept_ms = {}

local function write_gathered()
  for command, by_key in pairs(gathered) do
    for name, values in pairs(by_key) do
      try(command, name, unpack(values))
      by_key[name] = nil
    end
  end
  for name, ms in pairs(kept_ms) do
    try('PEXPIRE', name, ms)
    kept_ms[name] = nil
  end
end

local function gather(command, name, value, member)
  local by_key = gathered[command]
  if not by_key then
    by_key = {}
    gathered[command] = by_key
  end
  local values = by_key[name]
  if not values then
    values = { BEFORE_VALUES[command] }
    by_key[name] = values
  end
  values[#values + 1] = value
  values[#values + 1] = member
  if #values >= MOST_GATHERED then
    write_gathered()
  end
end

-- Answers what `handle` says of each item of `width` arguments from ARGV[first] on.
-- An item that fails answers {'failed', why}, and the others go on.
local function each_item(first, width, handle)
  local replies = {}
  for at = first, #ARGV, width do
    local ok, reply = pcall(handle, unpack(ARGV, at, at + width - 1))
    if not ok then
      reply = { 'failed', type(reply) == 'table' and reply.err or tostring(reply) }
    end
    replies[#replies + 1] = reply
  end
  write_gathered()
  return replies
end

-- The fields of a hash as a table; nil where there is no such key.
local function read_hash(name)
  local list = redis.call('HGETALL', name)
  if #list == 0 then
    return nil
  end
  local fields = {}
  for i = 1, #list, 2 do
    fields[list[i]] = list[i + 1]
  end
  return fields
end
