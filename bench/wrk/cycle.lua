-- cycle
-- wrk, with one thread: the people of a closed loop. Customers order an americano, without a body, until a moment, are
-- answered, and then wait for wrk's end. Baristas start an order, held up to five seconds for one, and finish it; or,
-- with `next`, finish it and start the next in one request.
-- Arguments  customers, and the moment (seconds since 1970); or baristas, and next or none
-- Says       at its end, in one line of JSON: requests answered; answers that were not expected; socket errors; the
--            wait's median and 99th percentile, ms
--
-- Invariants
-- - An order that was started is finished by the next request.

local LONG_AFTER_MS = 3600000
local thread

function setup(only)
  thread = only
end

local function order_until(ends_at)
  wrk.method, wrk.path = 'POST', '/order/'

  -- How long until the next order, ms.
  function delay()
    return os.time() < ends_at and 0 or LONG_AFTER_MS
  end
end

-- The order that an answer gives out: the second of two, or one that is brewing. A finish without next answers one that
-- is ready.
local function given_by(body)
  local _, at = string.find(body, '"started":', 1, true)
  if at or string.find(body, '"status":"brewing"', 1, true) then
    return string.match(body, '^{"order_id":"([%x-]+)"', at and at + 1 or 1)
  end
end

local function start_and_finish(with_next)
  local started = {}
  local rest = ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port .. '\r\n'
  local start = 'GET /start/?barista=wrk&wait=5' .. rest .. '\r\n'
  local finish = 'POST /finish/?barista=wrk' .. (with_next and '&next=5' or '') .. '&order_id='
  local after_id = rest .. 'Content-Length: 0\r\n\r\n'
  unexpected = 0

  function request()
    local id = table.remove(started)
    return id and finish .. id .. after_id or start
  end

  -- An empty queue is answered 404.
  function response(status, _, body)
    if status == 200 then
      started[#started + 1] = given_by(body)
    elseif status ~= 404 then
      unexpected = unexpected + 1
    end
  end
end

function init(args)
  if args[1] == 'customers' then order_until(tonumber(args[2])) else start_and_finish(args[2] == 'next') end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"unexpected":%d,"socketErrors":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests,
    thread:get('unexpected') or errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000
  ))
end
