-- claim-format
-- Claims the shop's data for the format that this version writes: from now on, servers that write an older one give
-- way.
-- Needs lib/keys.lua lib/order.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  version of this server
-- Returns  {'current'} | {'upgrading'}: orders may still be in the format before
--          | {'newer', format, version that wrote it}
--          | {'unknown'}: orders are there, in no format that has a number | {'garbled'}: the format can't be read
--
-- (A later version may add fields. A value that can't be read is left as it is: it may be a newer version's.)

local EXAMINED = 10

-- The value of `{shop}:format`: the format, the version that claimed it, and the oldest format that orders may be in.
local function keep(oldest)
  redis.call('SET', key.format, FORMAT .. ' ' .. ARGV[1] .. ' ' .. oldest)
end

local function has_unknown_orders()
  local ids = redis.pcall('ZRANGE', key.orders, 0, EXAMINED - 1)
  for _, id in ipairs(ids.err and {} or ids) do
    if redis.call('TYPE', key.order(id)).ok == 'hash' then
      return true
    end
  end
  return false
end

local kept = redis.call('GET', key.format)
if not kept then
  if has_unknown_orders() then
    return { 'unknown' }
  end
  keep(FORMAT)
  return { 'current' }
end
local format, version = string.match(kept, '^(%d+) (%S+)')
if format and tonumber(format) > tonumber(FORMAT) then
  return { 'newer', format, version }
end
local oldest = string.match(kept, '^%d+ %S+ (%d+)')
if not oldest then
  return { 'garbled' }
end
if tonumber(oldest) < tonumber(FORMAT) - 1 then
  return { 'unknown' }
end
if format ~= FORMAT then
  keep(oldest)
end
return { oldest == FORMAT and 'current' or 'upgrading' }
