-- menu
-- Owns the menu: the one that a shop starts with, and the one that staff have made of it.
-- Needs lib/keys.lua lib/settings.lua
--
-- Invariants
-- - A menu that was never changed is kept nowhere but here. An emptied one is kept, though there is no key.
-- - A price is the menu's, whatever a client says.

-- Each coffee by its id: name, price, description, modifiers, icon.
local function first_menu()
  local milk = '[{"name":"milk","options":["whole","skimmed","oat","soy"]}]'
  return {
    americano = { 'Americano', 300, 'Espresso with hot water', '[]', '☕' },
    espresso = { 'Espresso', 250, 'Short and strong', '[]', '⚡' },
    double_espresso = { 'Double espresso', 320, 'Twice as awake', '[]', '⚡' },
    flat_white = { 'Flat white', 380, 'Two shots, silky milk', milk, '☕' },
    cappuccino = { 'Cappuccino', 370, 'One third foam', milk, '☕' },
    latte = { 'Latte', 400, 'Much milk, gentle coffee', milk, '☕' },
    mocha = { 'Mocha', 450, 'Coffee meets chocolate', milk, '☕' },
  }
end

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
  for id, coffee in pairs(first_menu()) do
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

local coffees
each_run(function()
  coffees = {}
end)

local function find_coffee(item)
  if coffees[item] == nil then
    local json
    if has_menu() then
      json = redis.call('HGET', key.menu, item)
    else
      local coffee = first_menu()[item]
      json = coffee and encode_first(coffee)
    end
    local coffee = json and cjson.decode(json) or false
    if coffee then
      coffee.price_text = string.format('%.0f', coffee.price)
    end
    coffees[item] = coffee
  end
  return coffees[item]
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

-- What is wrong with a choice: why, and its subject; nil, nil and the price where nothing is. `modifiers` is JSON, or
-- ''.
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
