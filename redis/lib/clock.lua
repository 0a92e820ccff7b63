-- clock
-- Owns the time of a script.
--
-- Invariants
-- - Time comes from Redis, read once a script, never from the caller.
-- - Days are UTC.

local DAY_MS = 86400000

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

local now_ms, now_text
-- Days since 1970, and as a date.
local today, date
-- The clock as RFC 3339 with milliseconds, as orders show it.
local now

-- A time in ms since 1970 as RFC 3339.
local function time_text(ms)
  local day = math.floor(ms / DAY_MS)
  return string.format(
    '%sT%02d:%02d:%02d.%03dZ',
    day == today and date or date_of(day), ms / 3600000 % 24, ms / 60000 % 60, ms / 1000 % 60, ms % 1000
  )
end

each_run(function()
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  now_text = string.format('%d', now_ms)
  if math.floor(now_ms / DAY_MS) ~= today then
    today = math.floor(now_ms / DAY_MS)
    date = date_of(today)
  end
  now = time_text(now_ms)
end)

-- A time as orders show it (2026-11-20T09:30:00.120Z), ms since 1970 (Howard Hinnant, "chrono-compatible low-level date
-- algorithms", days_from_civil).
local function read_time(text)
  local year, month, day, hour, minute, second, ms =
    string.match(text, '^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)%.(%d%d%d)Z$')
  if not year then
    return nil
  end
  local from_march = month > '02' and year - 0 or year - 1
  local era = math.floor(from_march / 400)
  local year_of_era = from_march - era * 400
  local day_of_year = math.floor((153 * (month > '02' and month - 3 or month + 9) + 2) / 5) + day - 1
  local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year
  return (era * 146097 + day_of_era - 719468) * DAY_MS + hour * 3600000 + minute * 60000 + second * 1000 + ms
end
