-- buckets
-- Owns the buckets of addresses: each order takes a token of one.
-- Needs lib/keys.lua lib/clock.lua
--
-- Invariants
-- - A check takes nothing. What is taken is written at the end of the run.

-- Buckets by name, as they are now. A bucket starts full and refills steadily.
local buckets
local find_bucket, describe, describe_bucket, has_token, take_from, take_token, write_buckets
do

-- The capacity of a bucket, tokens, and how many it gets a second, where its queue has no rules of its own.
local limit_capacity, limit_refill_per_second
local clock_seconds, clock_text

each_run(function()
  limit_capacity, limit_refill_per_second = tonumber(ARGV[6]), tonumber(ARGV[7])
  clock_seconds = now_ms / 1000
  clock_text = string.sub(now_text, 1, -4) .. '.' .. string.sub(now_text, -3)
  buckets = {}
end)

-- Under no name there is no limit. `rules` are those of its queue, if it has its own.
function find_bucket(name, rules)
  local bucket = buckets[name]
  if not bucket then
    local capacity = rules and rules.limit_capacity or limit_capacity
    local refill_per_second = rules and rules.limit_refill_per_second or limit_refill_per_second
    local tokens, at = unpack(redis.call('HMGET', key.bucket(name), 'tokens', 'at'))
    -- A clock that was set back must not empty the bucket.
    local elapsed = tonumber(at) and math.max(0, clock_seconds - at) or 0
    tokens = math.min(capacity, (tonumber(tokens) or capacity) + elapsed * refill_per_second)
    bucket = { tokens = tokens, is_taken = false, capacity = capacity, refill_per_second = refill_per_second }
    buckets[name] = bucket
  end
  return bucket
end

local function full_ms(bucket)
  return math.ceil((bucket.capacity - bucket.tokens) / bucket.refill_per_second * 1000)
end

-- The state of its bucket that an address may know: whole tokens left, ms until there is one, ms until it is full.
function describe(bucket)
  local tokens = bucket.tokens
  local full = full_ms(bucket)
  if tokens >= 1 then
    return string.format('%d\t0\t%d', tokens, full)
  end
  return string.format('0\t%d\t%d', math.ceil((1 - tokens) / bucket.refill_per_second * 1000), full)
end

function describe_bucket(name)
  return name == '' and '0\t0\t0' or describe(find_bucket(name))
end

function has_token(name)
  return name == '' or find_bucket(name).tokens >= 1
end

function take_from(bucket)
  bucket.tokens = bucket.tokens - 1
  bucket.is_taken = true
end

function take_token(name)
  if name == '' then
    return
  end
  take_from(find_bucket(name))
end

function write_buckets()
  for name, bucket in pairs(buckets) do
    if bucket.is_taken then
      local tokens, at = string.format('%.6f', bucket.tokens), clock_text
      redis.call('HSET', key.bucket(name), 'tokens', tokens, 'at', at)
      redis.call('PEXPIRE', key.bucket(name), string.format('%d', math.max(1, full_ms(bucket))))
    end
  end
end

end
