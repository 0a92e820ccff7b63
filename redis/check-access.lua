-- check-access
-- Looks whether the user of this connection may do all that the server does. It runs none of it.
-- Needs lib/keys.lua
-- KEYS[1]  the shop's prefix
-- Returns  the names of the commands that are denied, on the shop's keys and channels

-- The commands that scripts call, and those that the server sends by itself. A test compares the list with both.
local ON_A_KEY = {
  'BLPOP', 'DEL', 'EXISTS', 'GET', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HKEYS', 'HLEN', 'HMGET', 'HSET', 'INCRBY',
  'LLEN', 'LPOP', 'LPUSH', 'LRANGE', 'LTRIM', 'MGET', 'MSET', 'PEXPIRE', 'RPUSH', 'SADD', 'SCARD', 'SET', 'SISMEMBER',
  'SMEMBERS', 'SRANDMEMBER', 'SREM', 'TYPE', 'UNLINK', 'XADD', 'XDEL', 'XLEN', 'XRANGE', 'XREVRANGE', 'XTRIM', 'ZADD',
  'ZCARD', 'ZCOUNT', 'ZPOPMIN', 'ZRANDMEMBER', 'ZRANGE', 'ZRANGEBYLEX', 'ZRANGEBYSCORE', 'ZRANK', 'ZREM',
  'ZREMRANGEBYRANK', 'ZREMRANGEBYSCORE', 'ZREVRANGE', 'ZREVRANGEBYSCORE', 'ZREVRANK', 'ZSCORE',
}
local OTHERS = {
  { 'CLIENT', 'ID' },
  { 'CLIENT', 'UNBLOCK', '1' },
  { 'EVALSHA', '0', '1', shop },
  { 'FCALL', 'longpour', '1', shop },
  { 'FUNCTION', 'DELETE', 'longpour' },
  { 'FUNCTION', 'LIST' },
  { 'FUNCTION', 'LOAD', '' },
  { 'INFO' },
  { 'PING' },
  { 'PUBLISH', key.wake, '' },
  { 'SCRIPT', 'LOAD', '' },
  { 'SUBSCRIBE', key.wake },
  { 'TIME' },
  { 'XGROUP', 'CREATE', key.events, 'baristas', '0' },
  { 'XGROUP', 'DELCONSUMER', key.events, 'servers', 'server' },
  { 'XGROUP', 'DESTROY', key.events, 'rule:none' },
  { 'XGROUP', 'SETID', key.events, 'servers', '0' },
  { 'XINFO', 'CONSUMERS', key.events, 'servers' },
  { 'XINFO', 'GROUPS', key.events },
  { 'XINFO', 'STREAM', key.events },
  { 'XACK', key.events, 'servers', '0' },
  { 'XAUTOCLAIM', key.events, 'servers', 'server', '0', '0' },
  { 'XCLAIM', key.events, 'servers', 'server', '0', '0' },
  { 'XPENDING', key.events, 'servers' },
  { 'XREAD', 'STREAMS', key.events, '0' },
  { 'XREADGROUP', 'GROUP', 'baristas', 'barista', 'STREAMS', key.events, '>' },
}

local denied = {}
for _, command in ipairs(ON_A_KEY) do
  if not redis.acl_check_cmd(command, key.events) then
    denied[#denied + 1] = command
  end
end
for _, command in ipairs(OTHERS) do
  if not redis.acl_check_cmd(unpack(command)) then
    denied[#denied + 1] = command[1]
  end
end
return denied
