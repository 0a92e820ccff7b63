-- claims
-- Owns where the claims of final orders are remembered.
-- Needs lib/keys.lua lib/clock.lua

local CLAIM_SPENT_MS = 10000 -- outlives what is still on its way when an order is final

-- The sets that remember claims of final orders, by period.
local function spent_claims(periods_ago)
  return key.spent(string.format('%.0f', math.floor(now_ms / CLAIM_SPENT_MS) - periods_ago))
end
