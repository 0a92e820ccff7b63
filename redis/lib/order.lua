-- order
-- Owns how an order is kept: one string of lines, in the format that FORMAT names.
-- Needs lib/keys.lua
--
-- Invariants
-- - The first line is the format. The last is `fixed`: JSON members that never change once it is queued.
-- - `barista`, `customer` and `failure` are JSON strings, `input`, `progress` and `result` JSON without line breaks.
-- - A record of another shape is damaged: `decode_order` answers nil and why, and its caller goes on without it.
-- - A record that does not match USUAL is read line by line.
-- - Damage that only reading all of its JSON shows is found by `find_garbled`: where an order is shown beside others.

local FORMAT = '2'
local RECORD = '^' .. FORMAT .. '\n' .. string.rep('([^\n]*)\n', 20) .. '([^\n]+)$'
-- Usual orders: no code, no reason, nothing failed, no lease ran out, no input. A record that matches, and ends in its
-- first line break, is whole. (Sets of characters and negated classes are slow: a dot takes the rest.)
local USUAL_START = '\n\n(%d+)\n0\n([%w_-]+)\n(%d+)\n(%C*)\n'
local USUAL_END = '(%C*)\n(%C*)\n\n\n\n\n\n\n\n("number":%d+,"item":"[%w_-]+","price":%d+,".+Z")$'
local QUEUED = '^' .. FORMAT .. '\nqueued' .. USUAL_START .. '\n\n\n\n' .. USUAL_END
local BREWING = '^' .. FORMAT .. '\nbrewing' .. USUAL_START .. '("[^"\\%c]*")\n(%d+-%d+-%d+T%d+:%d+:%d+%.%d+Z)\n\n(%C*)\n' .. USUAL_END
-- Usual calls: the same with an input, and without a customer's id. NO_INPUT stands in no record of an order that has
-- one.
local CALL_END = '(%C*)\n\n\n\n\n\n\n(%C+)\n\n("number":%d+,"queue":"[%w_-]+",".+Z")$'
local QUEUED_CALL = '^' .. FORMAT .. '\nqueued' .. USUAL_START .. '\n\n\n\n' .. CALL_END
local BREWING_CALL = '^' .. FORMAT .. '\nbrewing' .. USUAL_START .. '("[^"\\%c]*")\n(%d+-%d+-%d+T%d+:%d+:%d+%.%d+Z)\n\n(%C*)\n' .. CALL_END
local NO_INPUT = '\n\n\n"number":'
-- The parts of such records between their fields, for those that write them as text (usual/): the start, by status; the
-- lines between attempts and queue; the empty claim; the empty lines between the Idempotency-Key and `fixed`.
local READY_START, QUEUED_START, BREWING_START = FORMAT .. '\nready\n\n', FORMAT .. '\nqueued\n\n', FORMAT .. '\nbrewing\n\n'
local NO_EXPIRIES, NO_CLAIM, NO_MORE = '\n0\n', '\n\n', '\n\n\n\n\n\n\n\n\n'
-- What a queued record has empty, from its barista to its Idempotency-Key.
local NOT_STARTED = '\n\n\n\n\n'
-- The fields that such an order leaves out. (Small tables: Redis makes and drops one an order and run.)
local LEFT_OUT = {
  __index = { reason = '', expiries = '0', code = '', choice = '', due = '', failure = '', result = '', input = '', progress = '' },
}

local FIXED_START = '^"number":%d+,"item":"[^"\\]+","price":%d+,"'
-- The same of an order in a queue of machines.
local CALL_START = '^"number":%d+,"queue":"[%w_-]+","'
local FIXED_END = '^"placed_at":"[%d:.TZ-]+"$'
local FIXED_END_LENGTH = #'"placed_at":"2000-01-01T00:00:00.000Z"'

-- Whether a line is a JSON string. (Most hold nothing that needs a parser, and are the same in many orders.)
local texts
each_run(function()
  texts = {}
end)

local function is_text(line)
  if texts[line] == nil then
    local is_plain = string.find(line, '^"[^"\\]*"$') ~= nil
    local ok, text = true, ''
    if not is_plain then
      ok, text = pcall(cjson.decode, line)
    end
    texts[line] = ok and type(text) == 'string'
  end
  return texts[line]
end

-- Makes the function that says what is wrong with an order.
local function make_judge()
  local TIME = '^[%d:.TZ-]+$'

  local function is_number(line)
    return string.find(line, '^%d+$') ~= nil
  end

  local function has_queue_number(order)
    return not string.find(order.queue, '^[%w_-]+$') and 'its queue is missing or garbled'
      or not is_number(order.queue_number) and 'its place is missing or garbled' or nil
  end

  -- The fault of an order in its state, by state; nil where there is none.
  local FAULT_OF = {
    reserved = function(order)
      return order.code == '' and 'its code is missing' or nil
    end,
    unpaid = has_queue_number,
    queued = has_queue_number,
    scheduled = function(order)
      return order.due == '' and 'its time is missing' or has_queue_number(order)
    end,
    brewing = function(order)
      return order.barista == '' and 'its barista is missing' or has_queue_number(order)
    end,
    ready = function(order)
      return (order.barista == '' or order.finished_at == '') and 'its barista or finished_at is missing' or nil
    end,
    cancelled = function(order)
      return (order.finished_at == '' or not string.find(order.reason, '^[%l_]+$')) and 'its reason or finished_at is missing' or nil
    end,
  }

  local function is_fixed(order)
    local is_chosen = string.find(order.fixed, FIXED_START) or order.input ~= '' and string.find(order.fixed, CALL_START)
      or order.status == 'reserved' or order.status == 'cancelled'
    return is_chosen and string.find(order.fixed, FIXED_END, -FIXED_END_LENGTH)
  end

  return function(order)
    local find_own = FAULT_OF[order.status]
    if not find_own then
      return order.status == '' and 'it has no status' or 'its status is unknown'
    end
    if not is_fixed(order) then
      return 'what it is for is missing or garbled'
    end
    if not is_number(order.attempts) or not is_number(order.expiries) then
      return 'its attempts are missing or no number'
    end
    if order.barista ~= '' and not (is_text(order.barista) and string.find(order.started_at, TIME)) then
      return 'its barista or started_at is garbled'
    end
    if order.customer ~= '' and not is_text(order.customer) or order.failure ~= '' and not is_text(order.failure) then
      return 'its customer or error is garbled'
    end
    if order.due ~= '' and not is_number(order.due) or order.finished_at ~= '' and not string.find(order.finished_at, TIME) then
      return 'one of its times is garbled'
    end
    return find_own(order)
  end
end

-- The fault of an order; nil where there is none that a change or an answer fails at. (Usual orders need no judge: most
-- runs make none.)
local judge
local function find_fault(order)
  judge = judge or make_judge()
  return judge(order)
end

-- A record of the format before this one, in this one; nil where it is none. (Format 1 had no input and no progress.)
local function upgrade_record(record)
  local changing, fixed = string.match(record, '^1\n(.*\n)([^\n]+)$')
  return fixed and FORMAT .. '\n' .. changing .. '\n\n' .. fixed or nil
end

-- The order that a record of this format keeps; nil and why where it is damaged, or of another.
local function decode_unusual(record)
  local status, reason, attempts, expiries, queue, queue_number, holder, barista, started_at, finished_at, claim,
    idempotency_key, customer, code, choice, due, failure, result, input, progress, fixed = string.match(record, RECORD)
  if not fixed then
    local is_of_format = string.sub(record, 1, #FORMAT + 1) == FORMAT .. '\n'
    return nil, is_of_format and 'its lines are too few or too many' or 'its format is none that this server reads'
  end
  local order = {
    status = status, -- reserved, unpaid, scheduled, queued, brewing, ready or cancelled
    reason = reason, -- why it was cancelled
    attempts = attempts, -- how often it was started
    expiries = expiries, -- how many of its leases ran out
    queue = queue, -- '' while it is reserved
    queue_number = queue_number, -- `<queue_number>-0` is its entry in the stream
    holder = holder, -- the replica that its customer waits at; '' none; SHARED several
    barista = barista, -- who brews or brewed it
    started_at = started_at,
    finished_at = finished_at,
    claim = claim, -- of the start that has it
    idempotency_key = idempotency_key,
    customer = customer, -- its customer's id
    code = code, -- the code that it was reserved with
    choice = choice, -- hash of what a reservation was completed with
    due = due, -- ms since 1970: scheduled, or to be once it is paid, or queued and not to be started before
    failure = failure, -- why it failed last, as a JSON string
    result = result, -- what its barista answered, as JSON
    input = input, -- of one in a queue of machines: what it is for, as JSON
    progress = progress, -- of a brewing one: how far it is, as a JSON object
    fixed = fixed,
    is_unusual = true,
  }
  local fault = find_fault(order)
  if fault then
    return nil, fault
  end
  return order
end

local function decode_queued(record)
  local attempts, queue, queue_number, holder, idempotency_key, customer, fixed = string.match(record, QUEUED)
  if fixed and not string.find(fixed, '\n', 1, true) and (customer == '' or is_text(customer)) then
    return setmetatable({
      status = 'queued', attempts = attempts, queue = queue, queue_number = queue_number, holder = holder, barista = '',
      started_at = '', finished_at = '', claim = '', idempotency_key = idempotency_key, customer = customer, fixed = fixed,
    }, LEFT_OUT)
  end
end

local function decode_brewing(record)
  local attempts, queue, queue_number, holder, barista, started_at, claim, idempotency_key, customer, fixed =
    string.match(record, BREWING)
  if fixed and not string.find(fixed, '\n', 1, true) and (customer == '' or is_text(customer)) then
    return setmetatable({
      status = 'brewing', attempts = attempts, queue = queue, queue_number = queue_number, holder = holder, barista = barista,
      started_at = started_at, finished_at = '', claim = claim, idempotency_key = idempotency_key, customer = customer, fixed = fixed,
    }, LEFT_OUT)
  end
end

local function decode_queued_call(record)
  local attempts, queue, queue_number, holder, idempotency_key, input, fixed = string.match(record, QUEUED_CALL)
  if fixed and not string.find(fixed, '\n', 1, true) then
    return setmetatable({
      status = 'queued', attempts = attempts, queue = queue, queue_number = queue_number, holder = holder, barista = '',
      started_at = '', finished_at = '', claim = '', idempotency_key = idempotency_key, customer = '', input = input,
      fixed = fixed, is_unusual = true,
    }, LEFT_OUT)
  end
end

local function decode_brewing_call(record)
  local attempts, queue, queue_number, holder, barista, started_at, claim, idempotency_key, input, fixed =
    string.match(record, BREWING_CALL)
  if fixed and not string.find(fixed, '\n', 1, true) then
    return setmetatable({
      status = 'brewing', attempts = attempts, queue = queue, queue_number = queue_number, holder = holder, barista = barista,
      started_at = started_at, finished_at = '', claim = claim, idempotency_key = idempotency_key, customer = '', input = input,
      fixed = fixed, is_unusual = true,
    }, LEFT_OUT)
  end
end

local FIRST_OF_QUEUED, STATUS_AT = string.byte('q'), #FORMAT + 2

local function decode_current(record)
  local is_queued, has_input = string.byte(record, STATUS_AT) == FIRST_OF_QUEUED, not string.find(record, NO_INPUT, 1, true)
  local decode_usual = has_input and (is_queued and decode_queued_call or decode_brewing_call)
    or (is_queued and decode_queued or decode_brewing)
  local order = decode_usual(record)
  if order then
    return order
  end
  return decode_unusual(record)
end

-- The order that a record of this format keeps, or of the one before; nil and why where it is damaged, or of another.
local function decode_order(record)
  local order, fault = decode_current(record)
  if order then
    return order
  end
  local upgraded = upgrade_record(record)
  if upgraded then
    return decode_current(upgraded)
  end
  return nil, fault
end

-- (One concatenation: it makes no table, and one string.)
local function encode_order(order)
  if not order.is_unusual then
    return FORMAT .. '\n' .. order.status .. '\n\n' .. order.attempts .. '\n0\n' .. order.queue .. '\n' .. order.queue_number .. '\n'
      .. order.holder .. '\n' .. order.barista .. '\n' .. order.started_at .. '\n' .. order.finished_at .. '\n' .. order.claim .. '\n'
      .. order.idempotency_key .. '\n' .. order.customer .. '\n\n\n\n\n\n\n\n' .. order.fixed
  end
  return FORMAT .. '\n' .. order.status .. '\n' .. order.reason .. '\n' .. order.attempts .. '\n' .. order.expiries .. '\n'
    .. order.queue .. '\n' .. order.queue_number .. '\n' .. order.holder .. '\n' .. order.barista .. '\n' .. order.started_at .. '\n'
    .. order.finished_at .. '\n' .. order.claim .. '\n' .. order.idempotency_key .. '\n' .. order.customer .. '\n' .. order.code .. '\n'
    .. order.choice .. '\n' .. order.due .. '\n' .. order.failure .. '\n' .. order.result .. '\n' .. order.input .. '\n'
    .. order.progress .. '\n' .. order.fixed
end

-- A new order: what is known of it before it was ever started.
local function new_order(status, queue, queue_number, holder, idempotency_key, customer_id, fixed)
  return setmetatable({
    status = status, attempts = '0', queue = queue, queue_number = queue_number, holder = holder, barista = '', started_at = '',
    finished_at = '', claim = '', idempotency_key = idempotency_key,
    customer = customer_id ~= '' and cjson.encode(customer_id) or '', fixed = fixed,
  }, LEFT_OUT)
end

-- Sets what LEFT_OUT may leave out; what is as it should be stays left out.
local function set_field(order, name, value)
  if order[name] ~= value then
    order[name] = value
    order.is_unusual = true
  end
end

-- The id of its customer; nil where none is known.
local function customer_of(order)
  return order.customer ~= '' and cjson.decode(order.customer) or nil
end

local FINAL = { ready = true, cancelled = true }

-- Which index names it: that of its status, but `delayed` while it is not to be started before it is due.
local function stage_of(order)
  local status = order.status
  return status == 'queued' and order.is_unusual and order.due ~= '' and 'delayed' or status
end

-- The members that change of an order, as JSON: an event holds them.
local function encode_changes(order)
  local barista, finished_at = order.barista, order.finished_at
  if order.is_unusual then
    local reason, failure = order.reason, order.failure
    return '"status":"' .. order.status .. (reason ~= '' and '","reason":"' .. reason or '') .. '","attempts":' .. order.attempts
      .. (barista ~= '' and ',"barista":' .. barista .. ',"started_at":"' .. order.started_at .. '"' or '')
      .. (finished_at ~= '' and ',"finished_at":"' .. finished_at .. '"' or '')
      .. (failure ~= '' and ',"error":' .. failure or '') .. (order.progress ~= '' and ',"progress":' .. order.progress or '')
  end
  if barista == '' then
    return '"status":"' .. order.status .. '","attempts":' .. order.attempts
  end
  return '"status":"' .. order.status .. '","attempts":' .. order.attempts .. ',"barista":' .. barista
    .. ',"started_at":"' .. order.started_at .. (finished_at ~= '' and '","finished_at":"' .. finished_at .. '"' or '"')
end

-- The members that an order has and its events do not: they may be large. Each after a comma.
local function encode_large(order)
  if not order.is_unusual then
    return ''
  end
  return (order.input ~= '' and ',"input":' .. order.input or '') .. (order.result ~= '' and ',"result":' .. order.result or '')
end

-- An order as JSON, as it goes over the wire. `more` are further members, each after a comma.
local function encode_json(id, order, more)
  return '{"order_id":"' .. id .. '",' .. order.fixed .. ',' .. encode_changes(order) .. encode_large(order) .. (more or '') .. '}'
end
