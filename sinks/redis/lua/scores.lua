-- Read one partition's windows as they are at a given time, without writing: whoever reads need not own.
-- KEYS[1]  <base>, as in answers.lua   KEYS[2]  <base>:lane, or <base>:rebuild for what is rebuilt
-- ARGV[1]  [[window, minutes per bucket, first bucket now, next bucket], ...]
-- Reply: {off or "", until or "", {oldest bucket or "", ...} by window, {series, number, ...},
--         {first, all, window 1, window 2, ...}}
--        each of the last {sum, expired bucket, ...}, each a flat list: number, histogram, ...
local lane = redis.call('HMGET', KEYS[2], 'off', 'until', 'build')
local base = KEYS[1] .. ':' .. (lane[3] or '0')
local newest = tonumber(redis.call('HGET', base .. ':span', 'newest') or -1)
local begins = {}
local reply = {{redis.call('HGETALL', KEYS[1] .. ':first')}, {redis.call('HGETALL', base .. ':sum:all')}}
for _, window in ipairs(cjson.decode(ARGV[1])) do
  local parts = {redis.call('HGETALL', base .. ':sum:' .. window[1])}
  local begin = redis.call('HGET', base .. ':span', window[1])
  begins[#begins + 1] = begin or ''
  local from = tonumber(begin or window[3])
  -- Nothing can have expired after the newest bucket, however long nobody has ticked.
  for bucket = from, math.min(window[3] - 1, math.floor(newest / window[2])) do
    local expired = redis.call('HGETALL', string.format('%s:b:%s:%d', base, window[1], bucket))
    if #expired > 0 then parts[#parts + 1] = expired end
  end
  reply[#reply + 1] = parts
end
return {lane[1] or '', lane[2] or '', begins, redis.call('HGETALL', KEYS[1] .. ':series'), reply}
