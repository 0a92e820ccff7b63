-- idempotency
-- Owns the Idempotency-Keys of orders.
-- Needs lib/keys.lua lib/reads.lua lib/changes.lua

-- Idempotency-Keys that this run keeps for the first time.
local new_idempotency_keys

each_run(function()
  new_idempotency_keys = {}
end)

-- The order that was made under this Idempotency-Key before ('' is none): its id, or 'mismatch' where the body was
-- another. Nil where there was none, or it is forgotten.
local function find_by_idempotency_key(idempotency_key, body_hash)
  if idempotency_key == '' then
    return nil
  end
  local kept = read_string(key.idempotency_key(idempotency_key))
  if not kept then
    check_type(key.idempotency_key(idempotency_key), 'string')
  end
  local first_id, first_hash = string.match(kept or '', '^(%S+) (%S+)$')
  if not first_id or not find_order(first_id) then
    return nil
  end
  return first_hash == body_hash and first_id or 'mismatch'
end

local function keep_idempotency_key(id, idempotency_key, body_hash)
  if idempotency_key ~= '' then
    local name = key.idempotency_key(idempotency_key)
    strings[name] = id .. ' ' .. body_hash
    new_idempotency_keys[#new_idempotency_keys + 1] = name
  end
end

local function write_idempotency_keys(retention_ms)
  for _, name in ipairs(new_idempotency_keys) do
    redis.call('SET', name, strings[name], 'PX', retention_ms)
  end
end
