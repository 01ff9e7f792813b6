-- Tick of the answers lane: take buckets that have left their window out of its sum. Idempotent.
-- A window that was added to a state that has counted answers begins behind all of them: what it never held can
-- then not be taken out of it.
-- KEYS[4]  <base>, as in answers.lua
-- plan: [[window, minutes per bucket, first bucket now, next bucket], ...]
local stop = fence()
if stop then return stop end
local base = KEYS[4]
local span = base .. ':span'
local newest = tonumber(redis.call('HGET', span, 'newest') or -1)
local counted = redis.call('HLEN', base .. ':feed_id') > 0
for _, window in ipairs(cjson.decode(ARGV[7])) do
  local name, first = window[1], window[3]
  local last = math.floor(newest / window[2])
  local from = redis.call('HGET', span, name)
  if counted and not from then
    from = math.max(window[4], last + 1)
    redis.call('HSET', span, name, string.format('%.0f', from))
  end
  from = tonumber(from or first)
  local sum = base .. ':sum:' .. name
  for bucket = from, math.min(first - 1, last) do
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
  if first > from then redis.call('HSET', span, name, string.format('%.0f', first)) end
end
return finish()
