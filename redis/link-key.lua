-- link-key
-- Answers the key that signs finish links: the same for all servers of the shop.
-- Needs lib/keys.lua
-- KEYS[1]  the shop's prefix
-- ARGV[1]  the key to take if there is none (unguessable, made by the caller); '' to take none
-- Returns  the key; '' where there is none

if ARGV[1] ~= '' then
  redis.call('SET', key.link_key, ARGV[1], 'NX')
end
return redis.call('GET', key.link_key) or ''
