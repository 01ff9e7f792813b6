-- Give codes away, each once.
-- KEYS[4]  <base>: the prefix of
--   <base>:decided         sorted set: response id of a claim by the time of its record, ms
--   <base>:given           set: codes, of all surveys: a list may move from one to another
--   <base>:last            hash: customer id -> when they were given a code last, ms
--   <base>:codes           hash: response id -> the code, once its grant is on the log, or "" where there is none
-- plan: {keep (ms), decided: [[response, ms], ...], empty: [response, ...],
--        given: [[response, survey, customer, code, ms, 1 where it may be shown], ...]}
local stop = fence()
if stop then return stop end
local plan, call, base = cjson.decode(ARGV[7]), redis.call, KEYS[4]
local decided, given, last, codes = base .. ':decided', base .. ':given', base .. ':last', base .. ':codes'
for key, kind in pairs({[decided] = 'zset', [given] = 'set', [last] = 'hash', [codes] = 'hash'}) do
  if not is(key, kind) then return {'WRONGTYPE', key} end
end
for _, one in ipairs(plan.decided) do call('ZADD', decided, one[2], one[1]) end
for _, response in ipairs(plan.empty) do call('HSET', codes, response, '') end
for _, one in ipairs(plan.given) do
  call('ZADD', decided, one[5], one[1])
  call('SADD', given, one[4])
  if one[5] > tonumber(call('HGET', last, one[3]) or 0) then call('HSET', last, one[3], string.format('%.0f', one[5])) end
  if one[6] == 1 then call('HSET', codes, one[1], one[4]) end
end
for _, response in ipairs(call('ZRANGEBYSCORE', decided, '-inf', clock() - plan.keep, 'LIMIT', 0, 1000)) do
  call('ZREM', decided, response)
  call('HDEL', codes, response)
end
return finish()
