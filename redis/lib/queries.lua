-- queries
-- Owns the reading of orders by scripts that change none.
-- Needs lib/keys.lua lib/order.lua lib/format.lua lib/damage.lua
--
-- Invariants
-- - One that is damaged is set aside and left out: others are shown.

local MAX_ORDERS_PER_READ = 1000

local NO_STRING = 'it is no string'

-- The fault in the JSON of an order that has no other fault; nil where there is none. An order of the usual shape needs
-- no parser. (cjson refuses halves of characters, which JSON can hold.)
local function find_garbled(order)
  local _, at = string.find(order.fixed, FIXED_START)
  if at and at - 1 == #order.fixed - FIXED_END_LENGTH then
    return nil
  end
  local ok = pcall(cjson.decode, '{' .. string.gsub(order.fixed, '\\u%x%x%x%x', '\\n') .. '}')
  return not ok and 'what it is for is garbled' or nil
end

-- The order of a record; false where there is none; nil and what is wrong with it where it is damaged.
local function read_record(name, record, is_thorough)
  if not record then
    if redis.call('EXISTS', name) == 0 then
      return false
    end
    return nil, NO_STRING
  end
  local order, fault = decode_order(record)
  fault = fault or is_thorough and find_garbled(order) or nil
  if fault then
    return nil, fault
  end
  return order
end

-- The orders of these ids, by id: false where there is none, nil where it is damaged. Second: what is wrong with those,
-- by id.
local function read_orders(ids, is_thorough)
  local found, faults = {}, {}
  for first = 1, #ids, MAX_ORDERS_PER_READ do
    local names = {}
    for i = first, math.min(first + MAX_ORDERS_PER_READ - 1, #ids) do
      names[#names + 1] = key.order(ids[i])
    end
    for i, record in ipairs(redis.call('MGET', unpack(names))) do
      local id = ids[first + i - 1]
      found[id], faults[id] = read_record(names[i], record, is_thorough)
      if faults[id] then
        set_aside(id)
      end
    end
  end
  return found, faults
end
