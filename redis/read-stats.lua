-- read-stats
-- Reads what was counted in hours.
-- Needs lib/keys.lua lib/format.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  the hours, as 2026-11-20T09
-- Returns  lines: the id of the last event that was counted ('' where none was); then for each field of an hour its
--          index among ARGV, the field and what was counted of it, with tabs between

local lines = { redis.call('GET', key.stats_counted) or '' }
for i, hour in ipairs(ARGV) do
  local fields = redis.call('HGETALL', key.stats(hour))
  for at = 1, #fields, 2 do
    lines[#lines + 1] = i .. '\t' .. fields[at] .. '\t' .. fields[at + 1]
  end
end
return table.concat(lines, '\n')
