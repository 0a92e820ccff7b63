-- keys
-- Owns the names of the shop's keys.
--
-- Invariants
-- - KEYS[1] is the shop's prefix, `{main}:`. Its hash tag puts the script into the shop's slot.
-- - Every key of the shop is built here, and nowhere else in Lua.

-- The counter's queue: its rules come with each run. Other queues have rules of their own.
local COUNTER = 'default'
-- The consumer group of demands: its consumers are servers.
local DEMAND_GROUP = 'servers'

local shop, order_prefix
local key = {
  bell = function(id) return shop .. 'bell:' .. id end,
  bucket = function(name) return shop .. 'bucket:' .. name end,
  calls = function(queue) return shop .. 'calls:' .. queue end,
  call_count = function(queue) return shop .. 'calls:count:' .. queue end,
  call_labels = function(queue) return shop .. 'calls:labels:' .. queue end,
  call_numbers = function(queue) return shop .. 'calls:numbers:' .. queue end,
  delayed = function(queue) return shop .. 'delayed:' .. queue end,
  deliveries = function(rule) return shop .. 'deliveries:' .. rule end,
  deliveries_dead = function(rule) return shop .. 'deliveries:dead:' .. rule end,
  deliveries_retried = function(rule) return shop .. 'deliveries:retried:' .. rule end,
  demands = function(queue) return shop .. 'demands:' .. queue end,
  idle = function(queue) return shop .. 'idle:' .. queue end,
  leases = function(queue) return shop .. 'leases:' .. queue end,
  numbers = function(date) return shop .. 'numbers:' .. date end,
  out = function(stream) return shop .. 'out:' .. stream end,
  open_of = function(customer_id) return shop .. 'open:of:' .. customer_id end,
  idempotency_key = function(idempotency_key) return shop .. 'once:' .. idempotency_key end,
  order = function(id) return order_prefix .. id end,
  orders_of = function(customer_id) return shop .. 'orders:of:' .. customer_id end,
  payment = function(id) return shop .. 'payment:' .. id end,
  queue = function(queue) return shop .. 'queue:' .. queue end,
  reader = function(name) return shop .. 'reader:' .. name end,
  rule = function(rule) return shop .. 'rule:' .. rule end,
  run = function(slot) return shop .. 'run:' .. slot end,
  scheduled = function(queue) return shop .. 'scheduled:' .. queue end,
  spent = function(period) return shop .. 'spent:' .. period end,
  stats = function(hour) return shop .. 'stats:' .. hour end,
  unpaid = function(queue) return shop .. 'unpaid:' .. queue end,
  waiting = function(queue) return shop .. 'waiting:' .. queue end,
  waits = function(queue) return shop .. 'waits:' .. queue end,
  workers = function(queue) return shop .. 'workers:' .. queue end,
}

local function name_keys()
  order_prefix = shop .. 'order:'
  key.buried = shop .. 'buried'
  key.claims = shop .. 'claims'
  key.code = shop .. 'code'
  key.damaged = shop .. 'damaged'
  key.dead = shop .. 'dead'
  key.events = shop .. 'events'
  key.event_count = shop .. 'events:count'
  key.event_marks = shop .. 'events:marks'
  key.format = shop .. 'format'
  key.link_key = shop .. 'link-key'
  key.menu = shop .. 'menu'
  key.orders = shop .. 'orders'
  key.payments = shop .. 'payments'
  key.payments_open = shop .. 'payments:open'
  key.queue_rules = shop .. 'queue-rules'
  key.queues = shop .. 'queues'
  key.readers = shop .. 'readers'
  key.reserved = shop .. 'reserved'
  key.rules = shop .. 'rules'
  key.settings = shop .. 'settings'
  key.stats_counted = shop .. 'stats:counted'
  key.upgrading = shop .. 'upgrading'
  key.wake = shop .. 'wake'
end

each_run(function()
  if KEYS[1] ~= shop then
    shop = KEYS[1]
    name_keys()
  end
end)
