-- Takes one token from each bucket named, or says when there will be one. A bucket starts full and refills steadily.
-- An order that was placed under its Idempotency-Key before has been paid for: asking for it again takes none.
-- (A call that is sent again after a lost reply takes a second token: it costs the address one order's worth, and nothing else.)
-- KEYS[1]  the shop's prefix
-- ARGV[…]  per bucket: `<policy>:<address>`, capacity (tokens), refill (tokens a second), Idempotency-Key ('' where absent)
-- Returns  per bucket {'allowed' | 'denied', tokens remaining, ms until one is there, ms until it is full}

local now = time[1] + time[2] / 1000000

local buckets = {}

-- The bucket as it is now. A run often asks for one of them many times: it is read once.
local function find_bucket(name, capacity, refill_per_second)
  if not buckets[name] then
    local tokens, at = unpack(redis.call('HMGET', shop .. 'bucket:' .. name, 'tokens', 'at'))
    -- A clock that was set back must not empty the bucket.
    local elapsed = at and math.max(0, now - at) or 0
    tokens = math.min(capacity, (tonumber(tokens) or capacity) + elapsed * refill_per_second)
    buckets[name] = { tokens = tokens, capacity = capacity, refill_per_second = refill_per_second }
  end
  return buckets[name]
end

local function full_ms(bucket)
  return math.ceil((bucket.capacity - bucket.tokens) / bucket.refill_per_second * 1000)
end

local function take(name, capacity, refill_per_second, idempotency_key)
  local bucket = find_bucket(name, tonumber(capacity), tonumber(refill_per_second))
  local is_paid = idempotency_key ~= '' and redis.call('EXISTS', key.once(idempotency_key)) == 1
  local allowed = is_paid or bucket.tokens >= 1
  if allowed and not is_paid then
    bucket.tokens = bucket.tokens - 1
  end
  local retry_ms = bucket.tokens >= 1 and 0 or math.ceil((1 - bucket.tokens) / bucket.refill_per_second * 1000)
  return { allowed and 'allowed' or 'denied', math.floor(bucket.tokens), retry_ms, full_ms(bucket) }
end

local replies = each_item(1, 4, take)
for name, bucket in pairs(buckets) do
  local bucket_key = shop .. 'bucket:' .. name
  redis.call('HSET', bucket_key, 'tokens', string.format('%.6f', bucket.tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', bucket_key, math.max(1, full_ms(bucket)))
end
return replies
