-- Apply a batch of the customer lane, or settle scheduled asks (a tick).
-- KEYS[4]  <base>: the prefix of
--   <base>:contacts  hash: customer id -> JSON ContactState
--   <base>:seen:<n>  hash (small): field of (customer id, event id) -> day of arrival
--   <base>:due       sorted set: request id by due time, ms      <base>:asks  hash: request id -> JSON SurveyRequest
-- plan: {day, contacts: [[id, JSON], ...], seen: [[n, field], ...], due: [[request id, ms, JSON], ...],
--        settled: [request id, ...]}
local stop = fence()
if stop then return stop end
local base = KEYS[4]
local plan = cjson.decode(ARGV[7])
for name, kind in pairs({contacts = 'hash', due = 'zset', asks = 'hash'}) do
  if not is(base .. ':' .. name, kind) then return {'WRONGTYPE', base .. ':' .. name} end
end
for _, seen in ipairs(plan.seen) do
  local key = base .. ':seen:' .. seen[1]
  if not is(key, 'hash') then return {'WRONGTYPE', key} end
end
-- A tick has no position: that its asks still stand is what makes it happen once.
for _, id in ipairs(plan.settled) do
  if not redis.call('ZSCORE', base .. ':due', id) then return {'DUP', redis.call('HGET', KEYS[1], 'seq') or '0'} end
end

for _, id in ipairs(plan.settled) do
  redis.call('ZREM', base .. ':due', id)
  redis.call('HDEL', base .. ':asks', id)
end
for _, contact in ipairs(plan.contacts) do redis.call('HSET', base .. ':contacts', contact[1], contact[2]) end
for _, seen in ipairs(plan.seen) do redis.call('HSET', base .. ':seen:' .. seen[1], seen[2], plan.day) end
for _, ask in ipairs(plan.due) do
  redis.call('ZADD', base .. ':due', ask[2], ask[1])
  redis.call('HSET', base .. ':asks', ask[1], ask[3])
end
return finish()
