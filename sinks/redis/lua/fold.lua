-- Tick of the answers lane: write what folding comes to (fold.py), and forget old entries of the index.
-- What was read for it still stands: nobody else writes, and the fence compares how often the state was changed.
-- KEYS[4]  <base>, as in answers.lua
-- plan: {set: [[key, bytes of a value, n], ...], unset: [[key, n], ...], gone: [key, ...],
--        span: {name: value}, ended: [window, ...], taken: how many entries of the pending list,
--        before, sweep, hashes: as in sweep.lua}
--   Keys are named as under <base>:<build>, but for "first".
-- ARGV[11]  for each of `set` n times id and value      ARGV[12]  for each of `unset` n ids
local stop = fence()
if stop then return stop end

local CHUNK, ID = 1000, 8  -- Lua's stack is small
local sub, call = string.sub, redis.call
local plan, base = cjson.decode(ARGV[7]), KEYS[4]
local data = base .. ':' .. build()
local function key(name) return name == 'first' and base .. ':first' or data .. ':' .. name end
local function touch(groups)
  for _, group in ipairs(groups) do
    if not is(key(group[1]), 'hash') then return {'WRONGTYPE', key(group[1])} end
  end
end
local wrong = touch(plan.set) or touch(plan.unset) or touch({{'span'}})
if wrong then return wrong end

-- Call `command` on a key with what `cut` makes of each of n places.
local function each(command, name, n, cut)
  for first = 1, n, CHUNK do
    local arguments = {}
    for _ = first, math.min(first + CHUNK - 1, n) do cut(arguments) end
    call(command, key(name), unpack(arguments))
  end
end
local at = 1
for _, group in ipairs(plan.set) do
  each('HSET', group[1], group[3], function(arguments)
    arguments[#arguments + 1] = sub(ARGV[11], at, at + ID - 1)
    arguments[#arguments + 1] = sub(ARGV[11], at + ID, at + ID + group[2] - 1)
    at = at + ID + group[2]
  end)
end
at = 1
for _, group in ipairs(plan.unset) do
  each('HDEL', group[1], group[2], function(arguments)
    arguments[#arguments + 1] = sub(ARGV[12], at, at + ID - 1)
    at = at + ID
  end)
end
for _, name in ipairs(plan.gone) do call('DEL', key(name)) end
for name, value in pairs(plan.span) do call('HSET', data .. ':span', name, value) end
for _, window in ipairs(plan.ended) do call('HDEL', data .. ':span', window) end
if plan.taken > 0 then call('LTRIM', data .. ':pending', plan.taken, -1) end
sweep(data .. ':index', plan, function(entry)
  local high, low = string.byte(entry, 22, 23)
  return high * 256 + low
end)
return finish()
