-- Takes one token from each bucket named, or says when there will be one. A bucket starts full and refills steadily.
-- An order that was placed under its Idempotency-Key before has been paid for: asking for it again takes none.
-- (A call that is sent again after a lost reply takes a second token: it costs the address one order's worth, and nothing else.)
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per bucket: `<policy>:<address>`, capacity (tokens), refill (tokens a second), Idempotency-Key ('' where absent)
-- Returns  per bucket {'allowed' | 'denied', tokens remaining, ms until one is there, ms until it is full}

local now = time[1] + time[2] / 1000000

return each_item(1, 4, function(name, capacity, refill_per_second, idempotency_key)
  capacity, refill_per_second = tonumber(capacity), tonumber(refill_per_second)
  local bucket = shop .. 'bucket:' .. name
  local tokens, at = unpack(redis.call('HMGET', bucket, 'tokens', 'at'))
  -- A clock that was set back must not empty the bucket.
  local elapsed = at and math.max(0, now - at) or 0
  tokens = math.min(capacity, (tonumber(tokens) or capacity) + elapsed * refill_per_second)

  local is_paid = idempotency_key ~= '' and redis.call('EXISTS', key.once(idempotency_key)) == 1
  local allowed = is_paid or tokens >= 1
  if allowed and not is_paid then
    tokens = tokens - 1
  end
  local full_ms = math.ceil((capacity - tokens) / refill_per_second * 1000)
  redis.call('HSET', bucket, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', bucket, math.max(1, full_ms))
  local retry_ms = tokens >= 1 and 0 or math.ceil((1 - tokens) / refill_per_second * 1000)
  return { allowed and 'allowed' or 'denied', math.floor(tokens), retry_ms, full_ms }
end)
