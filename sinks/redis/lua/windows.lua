-- What batches and ticks of the answers lane do alike. Appended to fence.lua; keys as in answers.lua.

-- Take buckets that have left their window out of its sum. Returns the oldest bucket inside, which it never lowers,
-- whatever its clock says: what was never counted in a window cannot be taken out of it.
local function expire(data, window, newest)
  local name, first = window[1], window[3]
  local span, sum = data .. ':span', data .. ':sum:' .. name
  local from = tonumber(redis.call('HGET', span, name))
  for bucket = from, math.min(first - 1, math.floor(newest / window[2])) do
    local key = string.format('%s:b:%s:%d', data, name, bucket)
    local expired, left = redis.call('HGETALL', key), {}
    for i = 1, #expired, 2 do
      local known = cjson.decode(redis.call('HGET', sum, expired[i]))
      for score, n in ipairs(cjson.decode(expired[i + 1])) do known[score] = known[score] - n end
      left[expired[i]] = known
    end
    for series, one in pairs(left) do
      if empty(one) then
        redis.call('HDEL', sum, series)
      else
        redis.call('HSET', sum, series, cjson.encode(one))
      end
    end
    redis.call('DEL', key)
  end
  if first > from then redis.call('HSET', span, name, string.format('%d', first)) end
  return math.max(first, from)
end
