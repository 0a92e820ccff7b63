-- said
-- Owns what a search by text looks at of an order: its number, its drink, its note, and its customer's name and id.
--
-- Invariants
-- - A number is meant whole, all else may hold the text anywhere.
-- - Spellings are in lower case as far as ASCII goes: Lua knows no other letters.

local function holds(text, spellings)
  local lower = string.lower(text)
  for _, spelling in ipairs(spellings) do
    if string.find(lower, spelling, 1, true) then
      return true
    end
  end
  return false
end

-- What JSON writes in more than one way: the members can't be searched as they are stored.
local ESCAPED = '["\\/%c]'
local TEXTS = { 'item', 'note', 'customer_name', 'customer_id' }

-- Whether an order says one of these spellings of a text.
local function says(order, spellings)
  -- Most orders are ruled out without a parser.
  if not string.find(spellings[1], ESCAPED) and not holds(order.fixed, spellings) then
    return false
  end
  local is_read, said = pcall(cjson.decode, '{' .. order.fixed .. '}')
  if not is_read then
    return false
  end
  if said.number and string.format('%d', said.number) == spellings[1] then
    return true
  end
  for _, name in ipairs(TEXTS) do
    if type(said[name]) == 'string' and holds(said[name], spellings) then
      return true
    end
  end
  return false
end
