-- try
-- Owns commands whose failure must not undo what they come with.

-- The command's reply; nil where its key holds a value of another type. (inspect-shop.lua finds such keys, and they are
-- logged.)
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    return nil
  end
  return reply
end
