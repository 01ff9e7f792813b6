-- Tick of the answers lane: take buckets that have left their window out of its sum. Idempotent.
-- KEYS[4]  <base>, as in answers.lua
-- plan: [[window, minutes per bucket, first bucket now], ...]
local stop = fence()
if stop then return stop end
local base = KEYS[4]
for _, window in ipairs(cjson.decode(ARGV[7])) do
  local name, first = window[1], window[3]
  local from = tonumber(redis.call('HGET', base .. ':from', name) or first)
  local sum = base .. ':sum:' .. name
  for bucket = from, first - 1 do
    local key = string.format('%s:b:%s:%.0f', base, name, bucket)
    local expired = redis.call('HGETALL', key)
    for i = 1, #expired, 2 do
      local known = cjson.decode(redis.call('HGET', sum, expired[i]))
      local zero = true
      for score, n in ipairs(cjson.decode(expired[i + 1])) do
        known[score] = known[score] - n
        if known[score] ~= 0 then zero = false end
      end
      if zero then
        redis.call('HDEL', sum, expired[i])
      else
        redis.call('HSET', sum, expired[i], cjson.encode(known))
      end
    end
    redis.call('DEL', key)
  end
  if first > from then redis.call('HSET', base .. ':from', name, string.format('%.0f', first)) end
end
return finish()
