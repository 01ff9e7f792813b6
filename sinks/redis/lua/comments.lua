-- Keep the newest comments of a partition.
-- KEYS[4]  <base>: the prefix of
--   <base>:newest    sorted set: response id by time answered, ms
--   <base>:comments  hash: response id -> JSON Comment, "" where the words were taken back
--   <base>:versions  hash: response id -> version, ms
-- plan: {keep, comments: [[response id, version, ms, JSON or ""], ...]}
local stop = fence()
if stop then return stop end
local newest, comments, versions = KEYS[4] .. ':newest', KEYS[4] .. ':comments', KEYS[4] .. ':versions'
for key, kind in pairs({[newest] = 'zset', [comments] = 'hash', [versions] = 'hash'}) do
  if not is(key, kind) then return {'WRONGTYPE', key} end
end
local plan = cjson.decode(ARGV[7])
for _, comment in ipairs(plan.comments) do
  local id, version, at, text = comment[1], comment[2], comment[3], comment[4]
  local known = redis.call('HGET', versions, id)
  -- An answer without words is of interest only where there were some before.
  if (known or text ~= '') and version >= tonumber(known or 0) then
    redis.call('ZADD', newest, at, id)
    redis.call('HSET', comments, id, text)
    redis.call('HSET', versions, id, string.format('%.0f', version))
  end
end
for _, id in ipairs(redis.call('ZRANGE', newest, 0, -1 - plan.keep)) do
  redis.call('ZREM', newest, id)
  redis.call('HDEL', comments, id)
  redis.call('HDEL', versions, id)
end
return finish()
