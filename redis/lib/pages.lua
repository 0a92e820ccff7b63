-- pages
-- Owns how a page is made of candidates: ids of orders, in the order of the page.
-- Needs lib/queries.lua
--
-- Invariants
-- - A call examines at most EXAMINED candidates.
-- - They are read a few at a time: a page is mostly full long before all are looked at.

local EXAMINED, STEP = 1000, 100

-- Per wanted order its line, behind an empty one for the head. Second: the index of the last one shown, where a wanted
-- one is left; nil where all were looked at. Both functions get an id, its order and its index.
local function make_page(ids, limit, is_wanted, line_of)
  local lines, last = { '' }, nil
  for first = 1, #ids, STEP do
    local some = { unpack(ids, first, math.min(first + STEP - 1, #ids)) }
    local found = read_orders(some, true)
    for i, id in ipairs(some) do
      local order, at = found[id], first + i - 1
      if order and is_wanted(id, order, at) then
        if #lines - 1 == limit then
          return lines, last
        end
        lines[#lines + 1], last = line_of(id, order, at), at
      end
    end
  end
  return lines, nil
end
