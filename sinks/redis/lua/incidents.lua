-- Keep the newest incidents and markers of a partition.
-- KEYS[4]  <base>: the prefix of
--   <base>:incidents, <base>:markers  hashes: id -> JSON
--   <base>:opened, <base>:marked      sorted sets: id by time, ms
-- plan: {keep, incidents: [[id, ms, JSON], ...], markers: the same}
local stop = fence()
if stop then return stop end
local plan, call = cjson.decode(ARGV[7]), redis.call
local function kept(texts, times) return {texts = KEYS[4] .. texts, times = KEYS[4] .. times} end
local groups = {{kept(':incidents', ':opened'), plan.incidents}, {kept(':markers', ':marked'), plan.markers}}
for _, group in ipairs(groups) do
  if not is(group[1].texts, 'hash') then return {'WRONGTYPE', group[1].texts} end
  if not is(group[1].times, 'zset') then return {'WRONGTYPE', group[1].times} end
end
for _, group in ipairs(groups) do
  local key = group[1]
  for _, one in ipairs(group[2]) do
    call('ZADD', key.times, one[2], one[1])
    call('HSET', key.texts, one[1], one[3])
  end
  for _, id in ipairs(call('ZRANGE', key.times, 0, -1 - plan.keep)) do
    call('ZREM', key.times, id)
    call('HDEL', key.texts, id)
  end
end
return finish()
