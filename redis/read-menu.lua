-- read-menu
-- Reads the menu.
-- Needs lib/keys.lua lib/settings.lua lib/menu.lua
-- KEYS[1]  the shop's prefix
-- Returns  per coffee {id, the coffee as JSON}

local coffees = {}
for id, json in pairs(read_menu()) do
  coffees[#coffees + 1] = { id, json }
end
return coffees
