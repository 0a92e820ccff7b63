-- label-writes
-- Owns what a run writes of the indexes by number and label.
-- Needs lib/reads.lua lib/writes.lua lib/labels.lua

-- To be called before an order is changed: throws where these keys can't be added to.
local function check_labels(queue)
  check_type(key.call_labels(queue), 'zset')
  check_type(key.call_numbers(queue), 'zset')
end

-- `label` may be '' or nil: then the order is not found by it.
local function index_label(id, queue, label, number)
  if label and label ~= '' then
    gather('ZADD', key.call_labels(queue), '0', label .. ' ' .. number .. ' ' .. id)
    gather('ZADD', key.call_numbers(queue), number, id .. ' ' .. label)
  end
end
