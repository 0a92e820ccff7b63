-- held-claims
-- Owns the claims of a run: which start has which order.
-- Needs lib/changes.lua lib/claims.lua lib/try.lua
--
-- Invariants
-- - A claim is its order's while that order is brewing under it.
-- - The claim of a final order is remembered for CLAIM_SPENT_MS at least.
-- - A remembered claim starts no other order when it is sent again, as after a reply that was lost.

-- The known claims: of each the id of its order, SPENT, or false.
local SPENT = 'spent'
local claims
-- The claims that orders had before this run, by id; of orders whose claim has changed.
local claims_before

each_run(function()
  claims, claims_before = {}, {}
end)

local function find_claim(claim)
  if claims[claim] == nil then
    local id = redis.call('HGET', key.claims, claim)
    local is_spent = not id
      and (redis.call('SISMEMBER', spent_claims(0), claim) == 1 or redis.call('SISMEMBER', spent_claims(1), claim) == 1)
    claims[claim] = id or is_spent and SPENT or false
  end
  return claims[claim]
end

-- Throws where claims can't be kept.
local function check_claims()
  check_type(key.claims, 'hash')
  check_type(spent_claims(0), 'set')
end

-- Gives the order to a claim ('' is none). The one that it had is free again, or spent if the order is final.
local function set_claim(id, order, claim)
  if order.claim == claim then
    return
  end
  claims_before[id] = claims_before[id] or order.claim
  if order.claim ~= '' then
    claims[order.claim] = FINAL[order.status] and SPENT or false
  end
  if claim ~= '' then
    claims[claim] = id
  end
  order.claim = claim
end

local function gather_claim(id, claim, before, dropped, made, spent)
  if claim == before then
    return
  end
  if before ~= '' then
    dropped[#dropped + 1] = before
    if claims[before] == SPENT then
      spent[#spent + 1] = before
    end
  end
  if claim ~= '' then
    made[#made + 1] = claim
    made[#made + 1] = id
  end
end

local function write_claims()
  if not next(claims_before) then
    return
  end
  -- (A claim that moves to another order is dropped first.)
  local dropped, made, spent = { 'HDEL', key.claims }, { 'HSET', key.claims }, { 'SADD', '' }
  for id, before in pairs(claims_before) do
    gather_claim(id, orders[id].claim, before, dropped, made, spent)
  end
  if #spent > 2 then
    spent[2] = spent_claims(0)
    try(unpack(spent))
    try('PEXPIRE', spent[2], 2 * CLAIM_SPENT_MS)
  end
  if #dropped > 2 then
    try(unpack(dropped))
  end
  if #made > 2 then
    try(unpack(made))
  end
end
