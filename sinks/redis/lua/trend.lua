-- Read one series' buckets of a window and all that is pending, in one step, without writing.
-- KEYS[1]  <base>, as in answers.lua   KEYS[2]  <base>:lane
-- ARGV[1]  window   ARGV[2], ARGV[3]  its first and last bucket   ARGV[4]  id of the series
-- Reply: {off or "", until or "", span, pending, sums or "", {histogram or "", ...} by bucket}, or {"WRONGTYPE", key}
local lane = redis.call('HMGET', KEYS[2], 'off', 'until', 'build')
local base, wrong = KEYS[1] .. ':' .. (lane[3] or '0'), nil
local function read(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) ~= 'table' or not found.err then return found end
  wrong = key
  return {}
end
local span = read('HGETALL', base .. ':span')
local pending = read('LRANGE', base .. ':pending', 0, -1)
local sums, cells = read('HGET', base .. ':sums', ARGV[4]) or '', {}
for bucket = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  cells[#cells + 1] = read('HGET', string.format('%s:b:%s:%d', base, ARGV[1], bucket), ARGV[4]) or ''
end
if wrong then return {'WRONGTYPE', wrong} end
return {lane[1] or '', lane[2] or '', span, pending, sums, cells}
