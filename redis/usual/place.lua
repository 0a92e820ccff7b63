-- usual-place
-- Owns the usual order: no code, modifiers, Idempotency-Key or customer's id, in a shop that is open to all,
-- where nothing is paid.

-- By name: the queues that new orders can be put into; false where the usual way does not do.
local open_queues
-- By item: its price, as text; false where it can't be had.
local prices
-- The index of orders that this run adds to.
local index

each_run(function()
  open_queues, prices, index = {}, {}, nil
end)

-- Looks at all that may fail, and at who is let in.
local function read_admission(queue_name)
  check_queue(queue_name, 'placed')
  check_type(key.orders, 'zset')
  next_number()
  local rules = find_rules()
  return rules.is_open and rules.is_free and not rules.capacity and not rules.needs_code and not open_queue(queue_name).has_new
end

local function find_open_queue(name)
  local ok, is_open = pcall(read_admission, name)
  local queue = ok and is_open and open_queue(name)
  open_queues[name] = queue
  index = index or queue and gather_list('ZADD', key.orders) or nil
  return queue
end

local function find_price(item)
  local ok, why, _, price = pcall(check_choice, item, '')
  prices[item] = ok and not why and price
  return prices[item]
end

local function read_bucket(name)
  local ok, bucket = pcall(find_bucket, name)
  return ok and bucket
end

usual('place', function(at, width)
  local id, queue_name, item, bucket_name = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  if width > 6 or records[id] or orders[id] then
    return false
  end
  local queue = open_queues[queue_name]
  if queue == nil then
    queue = find_open_queue(queue_name)
  end
  local price = prices[item]
  if price == nil then
    price = find_price(item)
  end
  local has_limit = bucket_name ~= ''
  local bucket = has_limit and (buckets[bucket_name] or read_bucket(bucket_name))
  if not queue or not price or has_limit and not (bucket and bucket.tokens >= 1) then
    return false
  end

  local number_text, queue_number = next_number()
  take_number()
  if bucket then
    take_from(bucket)
  end
  local fixed = fixed_members(number_text, item, price, ARGV[at + 3])
  local record = QUEUED_START .. '0' .. NO_EXPIRIES .. queue_name .. '\n' .. queue_number .. '\n' .. ARGV[at + 5] .. NOT_STARTED
    .. NO_MORE .. fixed
  plain.remember_new(record, queue_name, queue_number, ARGV[at + 5], fixed)
  -- (An operation before may have found that it is not there.)
  records[id], orders[id] = record, nil
  set_record(id, record)
  local n = #news
  news[n + 1], news[n + 2], news[n + 3] = id, queue_number, queue
  local list = queue.add_waiting
  n = #list
  list[n + 1], list[n + 2] = queue_number, id
  n = #index
  index[n + 1], index[n + 2] = now_text, id
  queued_now[#queued_now + 1] = id
  add_event('order.placed', id, '"status":"queued","attempts":0')
  answer('placed\t' .. (bucket and describe(bucket) or '0\t0\t0'))
  return true
end)
