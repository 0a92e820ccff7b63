-- numbers
-- Owns the numbers of orders: the day's at the counter, those of each queue of machines.
-- Needs lib/keys.lua lib/clock.lua
--
-- Invariants
-- - A number is taken once all checks are over, and written at the end of the run.

local next_number, take_number, next_call_number, take_call_number, write_numbers
do

-- The number of the day's last order, as it was before this run and as it is now; nil until one is needed.
local first_number, number
-- How queue numbers begin of this day's numbers of as many digits as the last one.
local queue_number_start, digits
-- By queue of machines: the number of its last order, as it was before this run and as it is now.
local call_numbers = {}

each_run(function()
  if next(call_numbers) then
    call_numbers = {}
  end
  first_number, number, digits = nil, nil, nil
end)

local QUEUE_NUMBERS_PER_DAY = 1000000000 -- numbers start anew each day, queue numbers do not

-- The day's next number, and its queue number. It is taken by `take_number`.
function next_number()
  if not number then
    local last = redis.call('GET', key.numbers(date)) or '0'
    if not string.find(last, '^%d+$') then
      error({ err = 'WRONGTYPE the count of the day holds no number' })
    end
    first_number = tonumber(last)
    number = first_number
  end
  local number_text = string.format('%d', number + 1)
  if #number_text ~= digits then
    digits = #number_text
    queue_number_start = string.sub(string.format('%d', today * QUEUE_NUMBERS_PER_DAY), 1, -1 - digits)
  end
  return number_text, queue_number_start .. number_text
end

function take_number()
  number = number + 1
end

-- The next number of a queue of machines, which is its queue number too: it never starts anew. It is taken by
-- `take_call_number`.
function next_call_number(queue)
  local numbers = call_numbers[queue]
  if not numbers then
    local last = redis.call('GET', key.call_count(queue)) or '0'
    if not string.find(last, '^%d+$') then
      error({ err = 'WRONGTYPE the count of a queue holds no number' })
    end
    numbers = { first = tonumber(last), last = tonumber(last) }
    call_numbers[queue] = numbers
  end
  return string.format('%.0f', numbers.last + 1)
end

function take_call_number(queue)
  call_numbers[queue].last = call_numbers[queue].last + 1
end

local function write_call_numbers()
  for queue, numbers in pairs(call_numbers) do
    if numbers.last > numbers.first then
      redis.call('SET', key.call_count(queue), string.format('%.0f', numbers.last))
    end
  end
end

function write_numbers()
  local taken = number and number - first_number or 0
  if taken > 0 and redis.call('INCRBY', key.numbers(date), string.format('%d', taken)) == taken then
    redis.call('PEXPIRE', key.numbers(date), 2 * DAY_MS)
  end
  write_call_numbers()
end

end
