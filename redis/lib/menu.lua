-- menu
-- Owns the menu: the one that a shop starts with, and the one that staff have made of it.
-- Needs lib/keys.lua lib/settings.lua
--
-- Invariants
-- - A menu that was never changed is kept nowhere but here.
-- - An emptied menu is kept, though there is no key.
-- - A price is the menu's, whatever a client says.

-- Each coffee by its id: name, price, description, modifiers, icon.
local MILK = '[{"name":"milk","options":["whole","skimmed","oat","soy"]}]'
local FIRST_MENU = {
  americano = { 'Americano', 300, 'Espresso with hot water', '[]', '☕' },
  espresso = { 'Espresso', 250, 'Short and strong', '[]', '⚡' },
  double_espresso = { 'Double espresso', 320, 'Twice as awake', '[]', '⚡' },
  flat_white = { 'Flat white', 380, 'Two shots, silky milk', MILK, '☕' },
  cappuccino = { 'Cappuccino', 370, 'One third foam', MILK, '☕' },
  latte = { 'Latte', 400, 'Much milk, gentle coffee', MILK, '☕' },
  mocha = { 'Mocha', 450, 'Coffee meets chocolate', MILK, '☕' },
}

local function encode_first(coffee)
  return '{"name":"' .. coffee[1] .. '","description":"' .. coffee[3] .. '","price":' .. coffee[2]
    .. ',"available":true,"modifiers":' .. coffee[4] .. ',"icon":"' .. coffee[5] .. '"}'
end

local function has_menu()
  return setting('has_menu') == 'true'
end

-- Each coffee by its id, as JSON.
local function read_menu()
  if has_menu() then
    return read_hash(key.menu)
  end
  local coffees = {}
  for id, coffee in pairs(FIRST_MENU) do
    coffees[id] = encode_first(coffee)
  end
  return coffees
end

-- To be called before the menu is changed.
local function keep_menu()
  if has_menu() then
    return
  end
  for id, json in pairs(read_menu()) do
    redis.call('HSET', key.menu, id, json)
  end
  redis.call('HSET', key.settings, 'has_menu', 'true')
end

local check_choice
do

local function read_coffee(json)
  local coffee = json and cjson.decode(json) or false
  if coffee then
    coffee.price_text = string.format('%.0f', coffee.price)
  end
  return coffee
end

-- The coffees of the first menu: they never change.
local first_coffees = {}
local function find_first(item)
  local coffee = first_coffees[item]
  if not coffee and FIRST_MENU[item] then
    coffee = read_coffee(encode_first(FIRST_MENU[item]))
    first_coffees[item] = coffee
  end
  return coffee or false
end

-- The coffees of this run.
local coffees
each_run(function()
  coffees = {}
end)

local function find_coffee(item)
  local coffee = coffees[item]
  if coffee == nil then
    if has_menu() then
      coffee = read_coffee(redis.call('HGET', key.menu, item))
    else
      coffee = find_first(item)
    end
    coffees[item] = coffee
  end
  return coffee
end

local function find_modifier(coffee, name)
  for _, modifier in ipairs(coffee.modifiers) do
    if modifier.name == name then
      return modifier
    end
  end
end

local function has_option(modifier, wanted)
  for _, option in ipairs(modifier.options) do
    if option == wanted then
      return true
    end
  end
end

-- The fault of a choice: why, and its subject; nil, nil and the price where there is none. `modifiers` is JSON, or ''.
function check_choice(item, modifiers)
  local coffee = find_coffee(item)
  if not coffee then
    return 'unknown_item', item
  end
  if not coffee.available then
    return 'unavailable_item', item
  end
  if modifiers == '' then
    return nil, nil, coffee.price_text
  end
  for name, option in pairs(cjson.decode(modifiers)) do
    local modifier = find_modifier(coffee, name)
    if not modifier then
      return 'unknown_modifier', name
    end
    if not has_option(modifier, option) then
      return 'unknown_option', name
    end
  end
  return nil, nil, coffee.price_text
end

end
