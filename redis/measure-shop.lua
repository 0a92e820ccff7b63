-- measure-shop
-- Measures the shop: its queues, and how far the durable readers of its events are.
-- Needs lib/keys.lua lib/clock.lua lib/measures.lua
-- KEYS[1]  the shop's prefix
-- ARGV[…]  queues
-- Returns  {orders set aside as damaged, reservations, dead letters, number of the newest event,
--          {reader, the id of the event that it has handled last …},
--          per queue {queued, scheduled, unpaid, brewing, how long the oldest queued order waits in ms or -1} …}

local READERS_SHOWN = 100

local found = try('HGETALL', key.readers) or {}
local readers = {}
for i = 1, math.min(#found, 2 * READERS_SHOWN) do
  readers[i] = found[i]
end
local newest = tonumber(try('GET', key.event_count) or '') or 0
local measures = { count(key.damaged), count(key.reserved), count(key.dead), newest, readers }
for _, queue in ipairs(ARGV) do
  measures[#measures + 1] = {
    depth_of(queue), count(key.scheduled(queue)), count(key.unpaid(queue)), count(key.leases(queue)), oldest_wait_ms(queue),
  }
end
return measures
