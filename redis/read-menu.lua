-- read-menu
-- Reads the menu.
-- KEYS[1]  the shop's prefix
-- Returns  id, the coffee as JSON, id …

return redis.call('HGETALL', key.menu)
