-- baristas
-- wrk: a closed loop of baristas, who start an order, held up to five seconds for one, and finish it; or, with `next`,
-- finish it and start the next in one request.
-- Argument  next, or none
--
-- Invariants
-- - An order that was started is finished by the next request.

dofile 'report.lua'

local started = {}
local start, finish, after_id
unexpected = 0

function init(args)
  local rest = ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port .. '\r\n'
  start = 'GET /start/?barista=wrk&wait=5' .. rest .. '\r\n'
  finish = 'POST /finish/?barista=wrk' .. (args[1] == 'next' and '&next=5' or '') .. '&order_id='
  after_id = rest .. 'Content-Length: 0\r\n\r\n'
end

function request()
  local id = table.remove(started)
  return id and finish .. id .. after_id or start
end

-- The order that an answer gives out: the second of two, or one that is brewing. A finish without next answers one that
-- is ready.
local function given_by(body)
  local _, at = string.find(body, '"started":', 1, true)
  if at or string.find(body, '"status":"brewing"', 1, true) then
    return string.match(body, '^{"order_id":"([%x-]+)"', at and at + 1 or 1)
  end
end

-- An empty queue is answered 404.
function response(status, _, body)
  if status == 200 then
    started[#started + 1] = given_by(body)
  elseif status ~= 404 then
    unexpected = unexpected + 1
  end
end
