-- take-demands
-- Takes demands of a queue for one server: those that it took and has not settled, those that another one has left, and
-- new ones. Taken again after a reply that was lost they are the same.
-- Needs lib/keys.lua lib/format.lua lib/groups.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- ARGV[2]  the server
-- ARGV[3]  most demands
-- ARGV[4]  after how long another server's demands are left, ms
-- ARGV[5]  most bytes of one
-- ARGV[6]  of one with more bytes: how many are given of each of its texts
-- Returns  {id of the newest one that any server took, {id, its bytes, {field, value …}} …}

local queue, server, count, left_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local max_bytes, kept_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local stream = key.demands(queue)

local taken, is_taken = {}, {}
local function take(entries)
  for _, entry in ipairs(entries) do
    local id, fields = entry[1], entry[2]
    if not fields then
      -- It was deleted from the stream.
      redis.call('XACK', stream, DEMAND_GROUP, id)
    elseif not is_taken[id] then
      is_taken[id] = true
      taken[#taken + 1] = { id, fields }
    end
  end
end

local function describe(entry)
  local id, fields, bytes = entry[1], entry[2], 0
  for _, text in ipairs(fields) do
    bytes = bytes + #text
  end
  if bytes > max_bytes then
    local cut = {}
    for i = 1, math.min(#fields, 2) do
      cut[i] = string.sub(fields[i], 1, kept_bytes)
    end
    fields = cut
  end
  return { id, bytes, fields }
end

if not last_given(stream, DEMAND_GROUP) then
  -- From the first demand on: others may have appended before any server read.
  redis.call('XGROUP', 'CREATE', stream, DEMAND_GROUP, '0', 'MKSTREAM')
end
take(read_group(stream, DEMAND_GROUP, server, '0', count))
if #taken < count then
  take(redis.call('XAUTOCLAIM', stream, DEMAND_GROUP, server, left_ms, '0', 'COUNT', count - #taken)[2])
end
if #taken < count then
  take(read_group(stream, DEMAND_GROUP, server, '>', count - #taken))
end
local answer = { last_given(stream, DEMAND_GROUP) }
for i, entry in ipairs(taken) do
  answer[i + 1] = describe(entry)
end
return answer
