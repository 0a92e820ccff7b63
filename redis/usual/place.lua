-- The usual order: no code, modifiers, Idempotency-Key or customer's id, in a shop that lets everybody in.

-- Whether each order of this run is let in; nil until one asks.
local is_open_to_all
-- Queues that new orders can be put into.
local is_ready
-- The index of orders that this run adds to.
local index

each_run(function()
  is_open_to_all, index = nil, nil
  is_ready = {}
end)

local function check_keys(queue_name)
  check_queue(queue_name, 'placed')
  check_type(key.orders, 'zset')
end

local function make_ready(queue_name)
  local ok = pcall(check_keys, queue_name)
  is_ready[queue_name] = ok
  if not ok then
    return false
  end
  if is_open_to_all == nil then
    local rules = find_rules()
    is_open_to_all = rules.is_open and not rules.capacity and not rules.needs_code
    index = gather_list('ZADD', key.orders)
  end
  return true
end

usual('place', function(at, width)
  local id, queue_name, item, bucket = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  if width > 6 or records[id] or orders[id] then
    return false
  end
  local is_fit = is_ready[queue_name]
  if is_fit == nil then
    is_fit = make_ready(queue_name)
  end
  if not is_fit or not is_open_to_all or not has_token(bucket) then
    return false
  end
  local why, _, price = check_choice(item, '')
  if why then
    return false
  end
  local ok, number_text, place = pcall(next_number)
  if not ok then
    return false
  end

  take_number()
  take_token(bucket)
  local holder = ARGV[at + 5]
  local fixed = fixed_members(number_text, item, price, ARGV[at + 3])
  local record = '1\nqueued\n\n0\n0\n' .. queue_name .. '\n' .. place .. '\n' .. holder .. '\n\n\n\n\n\n\n\n\n\n\n\n' .. fixed
  -- (An operation before may have found that it is not there.)
  records[id], orders[id] = record, nil
  set_record(id, record)
  local n = #news
  news[n + 1], news[n + 2], news[n + 3] = id, place, queue_name
  local list = queues[queue_name].add_waiting
  n = #list
  list[n + 1], list[n + 2] = place, id
  n = #index
  index[n + 1], index[n + 2] = now_text, id
  opened = opened + 1
  queued_now[#queued_now + 1] = id
  add_event('order.placed', id, '"status":"queued","attempts":0')
  answer('placed\t' .. describe_bucket(bucket))
  return true
end)
