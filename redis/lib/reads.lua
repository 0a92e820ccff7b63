-- reads
-- Owns what a run reads of strings and types: each once.
-- Needs lib/keys.lua

-- The names of orders' keys, by id. (Each is made once: that costs more than to look it up.)
local order_keys
local function order_key(id)
  local name = order_keys[id]
  if not name then
    name = key.order(id)
    order_keys[id] = name
  end
  return name
end

-- Strings by key, as stored; false where there is none, or a value of another type.
local strings
-- Types by key.
local types

each_run(function()
  order_keys, strings, types = {}, {}, {}
end)

local function read_strings(names)
  if #names > 0 then
    local values = redis.call('MGET', unpack(names))
    for i = 1, #names do
      strings[names[i]] = values[i]
    end
  end
end

local function read_string(name)
  local value = strings[name]
  if value == nil then
    read_strings({ name })
    value = strings[name]
  end
  return value
end

-- Throws unless the key is free or holds this type.
local function check_type(name, wanted)
  local found = types[name]
  if not found then
    found = redis.call('TYPE', name).ok
    types[name] = found
  end
  if found ~= wanted and found ~= 'none' then
    error({ err = 'WRONGTYPE a key of the shop holds a ' .. found .. ' where a ' .. wanted .. ' belongs' })
  end
end
