-- labels
-- Owns the reading of the indexes by which orders of a queue of machines are found: by number, and by label.
-- Needs lib/keys.lua
--
-- Invariants
-- - Only orders that were given a label stand in them.
-- - By number: `<order id> <label>`, its score the number. By label: `<label> <number> <order id>`, all of one score.

-- The id and the label of the order of that number; nil where there is none.
local function find_labelled(queue, number)
  local entry = redis.call('ZRANGEBYSCORE', key.call_numbers(queue), number, number, 'LIMIT', 0, 1)[1]
  return string.match(entry or '', '^(%S+) (%S+)$')
end
