-- format
-- Owns who may read and change the shop's orders: servers whose format the data has been claimed for.
-- Needs lib/keys.lua lib/order.lua lib/try.lua
--
-- Invariants
-- - A script of a server that writes another format ends here, before it has done anything.

each_run(function()
  local claimed_format, claimed_version = string.match(try('GET', key.format) or '', '^(%d+) (%S+)')
  if claimed_format and claimed_format ~= FORMAT then
    error({ err = 'SUPERSEDED ' .. claimed_version })
  end
end)
