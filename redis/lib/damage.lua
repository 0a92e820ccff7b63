-- damage
-- Owns what becomes of an order whose record is damaged: it is set aside.
-- Needs lib/keys.lua lib/clock.lua lib/try.lua
--
-- Invariants
-- - One whose payment alone is damaged is named to staff, and stays where it is.
-- - Its record stays as it is. Put right, the order goes back into its queue (inspect-shop.lua).
-- - It stands in no index that others would meet it in. Its stream entry goes when the queue is mended.
-- - Its customers look: its bell rings, wherever they are held.

local known_queues, ring_bell, keep_ringing, list_damaged, set_aside
do
  local DAMAGED_KEPT = 1000 -- the newest
  local BELL_MS = '120000' -- outlives the longest block of a lane (30 s) and a reconnect
  local RECORD_CUSTOMER = '^' .. string.rep('[^\n]*\n', 13) .. '("[^\n]*")\n'

  -- The queues that orders were put into; none where the list of them is damaged.
  function known_queues()
    return try('SMEMBERS', key.queues) or {}
  end

  -- The customer that a damaged record names, as far as it can be read.
  local function customer_of_damaged(id)
    local ok, customer_id = pcall(cjson.decode, string.match(try('GET', key.order(id)) or '', RECORD_CUSTOMER))
    return ok and customer_id or nil
  end

  -- Rings for customers who may be held by other replicas: the first two who pop it look, and looking rings it again.
  -- A bell that is no list holds nothing that anyone needs, and keeps a lane from listening: it is replaced.
  function ring_bell(id)
    local bell = key.bell(id)
    if not try('RPUSH', bell, '', '') then
      redis.call('DEL', bell)
      redis.call('RPUSH', bell, '', '')
    end
    redis.call('PEXPIRE', bell, BELL_MS)
  end

  -- Rings a bell that is silent.
  function keep_ringing(id)
    if not try('LLEN', key.bell(id)) or redis.call('EXISTS', key.bell(id)) == 0 then
      ring_bell(id)
    end
  end

  -- Names it to staff. Returns 0 where it is named already.
  function list_damaged(id)
    local added = try('ZADD', key.damaged, 'NX', now_text, id)
    try('ZREMRANGEBYRANK', key.damaged, 0, -1 - DAMAGED_KEPT)
    return added
  end

  function set_aside(id)
    local added = list_damaged(id)
    for _, queue in ipairs(known_queues()) do
      try('ZREM', key.waiting(queue), id)
      try('ZREM', key.leases(queue), id)
      try('ZREM', key.delayed(queue), id)
      try('ZREM', key.scheduled(queue), id)
      try('ZREM', key.unpaid(queue), id)
    end
    try('ZREM', key.reserved, id)
    local customer_id = customer_of_damaged(id)
    if customer_id then
      try('SREM', key.open_of(customer_id), id)
    end
    if added ~= 0 then
      keep_ringing(id)
    end
  end
end
