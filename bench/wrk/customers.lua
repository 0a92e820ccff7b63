-- customers
-- wrk: a closed loop of customers, who order until a moment, are answered, and then wait for wrk's end.
-- Argument  the moment, seconds since 1970

dofile 'report.lua'

local LONG_AFTER_MS = 3600000
local ends_at

wrk.method = 'POST'
wrk.path = '/order/'
wrk.headers['Content-Type'] = 'application/json'
wrk.body = '{"note":"wrk"}'

function init(args)
  ends_at = tonumber(args[1])
end

-- How long until the next order, ms.
function delay()
  return os.time() < ends_at and 0 or LONG_AFTER_MS
end
