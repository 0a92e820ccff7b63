-- read-shop
-- Reads the shop's settings, and how busy it is.
-- Needs lib/keys.lua lib/clock.lua lib/order.lua lib/settings.lua lib/waits.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  queue
-- Returns  {settings as JSON, open orders, orders queued there, their median wait in ms or -1}

return { encode_settings(), count_open(), redis.call('ZCARD', key.waiting(ARGV[1])), median_wait_ms(ARGV[1]) or -1 }
