-- Keep the newest comments of a partition.
-- KEYS[4]  <base>: the prefix of
--   <base>:newest    sorted set: response id by time answered, ms     <base>:comments  hash: response id -> JSON Comment
-- plan: {keep, comments: [[response id, ms, JSON or false], ...]}
local stop = fence()
if stop then return stop end
local newest, comments = KEYS[4] .. ':newest', KEYS[4] .. ':comments'
if not is(newest, 'zset') then return {'WRONGTYPE', newest} end
if not is(comments, 'hash') then return {'WRONGTYPE', comments} end
local plan = cjson.decode(ARGV[7])
for _, comment in ipairs(plan.comments) do
  if comment[3] then
    redis.call('ZADD', newest, comment[2], comment[1])
    redis.call('HSET', comments, comment[1], comment[3])
  else
    redis.call('ZREM', newest, comment[1])
    redis.call('HDEL', comments, comment[1])
  end
end
for _, id in ipairs(redis.call('ZRANGE', newest, 0, -1 - plan.keep)) do
  redis.call('ZREM', newest, id)
  redis.call('HDEL', comments, id)
end
return finish()
