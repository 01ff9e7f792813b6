-- Apply a batch of the customer lane, or settle scheduled asks (a tick). Appended to fence.lua and packed.lua.
-- KEYS[4]  <base>: the prefix of
--   <base>:contacts  hash: customer id -> JSON ContactState
--   <base>:seen:<n>  hash (small): field of (customer id, event id) -> day of arrival
--   <base>:due       sorted set: request id by due time, ms      <base>:asks  hash: request id -> JSON SurveyRequest
--   <base>:sent:<day>:<survey>  set: ids of the requests sent off on a day, of a capped survey or ("") of all; for two days
--   <base>:draws:<survey>:<period>  hash: JSON [segment, what] -> n, see surveys/draws.py
--   <base>:eligible:<survey>:<period>:<segment>  HyperLogLog: ids of customers who could be asked
--   <base>:cohorts   hash: <minutes>:<bucket>:<i(nvited) or a(nswered)>:<survey id> -> n, by the invitation's time;
--                    swept: the hour in which the oldest were forgotten
-- plan: {day, contacts: lengths of id and JSON of each, due: [[request id, ms, JSON], ...], settled: [request id, ...],
--        cancelled: [request id, ...]: due at once, cohorts: [[field, n], ...], sent: [[:sent:<day>:<survey>, request id], ...],
--        drawn: [[:draws:<survey>:<period>, field, n, kept for s], ...],
--        eligible: [[:eligible:..., :draws:..., field, [customer id, ...], kept for s], ...]}
-- ARGV[11]  ids and JSON of the contacts   ARGV[12]  places of the occasions that are new
local stop = fence()
if stop then return stop end
local base, plan, places = KEYS[4], cjson.decode(ARGV[7]), ARGV[12]
for name, kind in pairs({contacts = 'hash', due = 'zset', asks = 'hash', cohorts = 'hash'}) do
  if not is(base .. ':' .. name, kind) then return {'WRONGTYPE', base .. ':' .. name} end
end
for _, one in ipairs(plan.sent) do
  if not is(base .. one[1], 'set') then return {'WRONGTYPE', base .. one[1]} end
end
for _, one in ipairs(plan.drawn) do
  if not is(base .. one[1], 'hash') then return {'WRONGTYPE', base .. one[1]} end
end
-- Who could be asked is a set, to which nothing is added twice: it may be written before the rest.
for _, one in ipairs(plan.eligible) do
  local key, hash, customers = base .. one[1], base .. one[2], one[4]
  if not is(hash, 'hash') then return {'WRONGTYPE', hash} end
  for from = 1, #customers, CHUNK do
    local added = redis.pcall('PFADD', key, unpack(customers, from, math.min(from + CHUNK - 1, #customers)))
    if type(added) == 'table' then return {'WRONGTYPE', key} end
  end
end
-- A tick has no position: that its asks still stand is what makes it happen once.
for _, id in ipairs(plan.settled) do
  if not redis.call('ZSCORE', base .. ':due', id) then return {'DUP', redis.call('HGET', KEYS[1], 'seq') or '0'} end
end

local prefix, pcall = base .. ':seen:', redis.pcall
for at = 1, #places, PLACE do
  local key, field = place(prefix, places, at)
  if type(pcall('HSETNX', key, field, plan.day)) == 'table' then
    for before = 1, at - PLACE, PLACE do redis.call('HDEL', place(prefix, places, before)) end
    return {'WRONGTYPE', key}
  end
end

for _, id in ipairs(plan.settled) do
  redis.call('ZREM', base .. ':due', id)
  redis.call('HDEL', base .. ':asks', id)
end
local contacts = unpacked(plan.contacts, ARGV[11])
for from = 1, #contacts, CHUNK do
  redis.call('HSET', base .. ':contacts', unpack(contacts, from, math.min(from + CHUNK - 1, #contacts)))
end
for _, ask in ipairs(plan.due) do
  redis.call('ZADD', base .. ':due', ask[2], ask[1])
  redis.call('HSET', base .. ':asks', ask[1], ask[3])
end
for _, one in ipairs(plan.sent) do
  redis.call('SADD', base .. one[1], one[2])
  redis.call('EXPIRE', base .. one[1], 172800)
end
for _, one in ipairs(plan.drawn) do
  redis.call('HINCRBY', base .. one[1], one[2], one[3])
  redis.call('EXPIRE', base .. one[1], one[4])
end
for _, one in ipairs(plan.eligible) do
  redis.call('HSET', base .. one[2], one[3], redis.call('PFCOUNT', base .. one[1]))
  redis.call('EXPIRE', base .. one[1], one[5])
  redis.call('EXPIRE', base .. one[2], one[5])
end
for _, cohort in ipairs(plan.cohorts) do redis.call('HINCRBY', base .. ':cohorts', cohort[1], cohort[2]) end
for _, id in ipairs(plan.cancelled) do redis.call('ZADD', base .. ':due', 'XX', 0, id) end
return finish()
