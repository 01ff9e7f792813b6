-- Read cells; one that is not there is zeros.
-- KEYS[1]  <base>, as in answers.lua   KEYS[2]  <base>:lane, or <base>:rebuild for what is rebuilt
-- ARGV[1]  [[key, bytes of a value, n], ...], as in fold.lua   ARGV[2]  for each of them n ids
-- Reply: all values in this order, or {"WRONGTYPE", key}, or {"WRONGSIZE", key}.
local CHUNK, ID = 1000, 8
local data = KEYS[1] .. ':' .. (redis.call('HGET', KEYS[2], 'build') or '0')
local values, at = {}, 1
for _, group in ipairs(cjson.decode(ARGV[1])) do
  local key = group[1] == 'first' and KEYS[1] .. ':first' or data .. ':' .. group[1]
  local zeros = string.rep('\0', group[2])
  for first = 1, group[3], CHUNK do
    local ids = {}
    for _ = first, math.min(first + CHUNK - 1, group[3]) do
      ids[#ids + 1] = string.sub(ARGV[2], at, at + ID - 1)
      at = at + ID
    end
    local found = redis.pcall('HMGET', key, unpack(ids))
    if found.err then return {'WRONGTYPE', key} end
    for _, value in ipairs(found) do
      if value and #value ~= group[2] then return {'WRONGSIZE', key} end
      values[#values + 1] = value or zeros
    end
  end
end
return table.concat(values)
