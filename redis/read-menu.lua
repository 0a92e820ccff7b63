-- read-menu
-- Reads the menu.
-- Needs    shop.lua
-- KEYS[1]  the shop's prefix
-- Returns  per coffee {id, the coffee as JSON}

local menu = has_menu() and (read_hash(key.menu) or {}) or first_menu()
local coffees = {}
for id, json in pairs(menu) do
  coffees[#coffees + 1] = { id, json }
end
return coffees
