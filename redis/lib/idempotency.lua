-- idempotency
-- Owns the Idempotency-Keys of orders.
-- Needs lib/keys.lua lib/clock.lua lib/reads.lua lib/changes.lua

-- Idempotency-Keys that this run keeps for the first time: name, and how much longer than other keys it is kept, ms.
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

-- The key of an order for later is kept longer by the time until then. (`due` is ms since 1970; '' or nil is at once.)
local function keep_idempotency_key(id, idempotency_key, body_hash, due)
  if idempotency_key ~= '' then
    local name = key.idempotency_key(idempotency_key)
    strings[name] = id .. ' ' .. body_hash
    new_idempotency_keys[#new_idempotency_keys + 1] = name
    new_idempotency_keys[#new_idempotency_keys + 1] = due and due ~= '' and due - now_ms or 0
  end
end

local function write_idempotency_keys(retention_ms)
  for i = 1, #new_idempotency_keys, 2 do
    local name, longer_ms = new_idempotency_keys[i], new_idempotency_keys[i + 1]
    local kept_ms = longer_ms == 0 and retention_ms or string.format('%.0f', retention_ms + longer_ms)
    redis.call('SET', name, strings[name], 'PX', kept_ms)
  end
end
