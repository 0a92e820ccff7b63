-- report
-- Owns what wrk says at its end: one line of JSON. The scripts beside it include it; wrk runs in this folder, with one
-- thread.
-- Says  requests answered; answers that were not expected (`unexpected` of a script that counts them, else statuses over 399);
--       socket errors; the wait's median and 99th percentile, ms

local thread

function setup(only)
  thread = only
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
