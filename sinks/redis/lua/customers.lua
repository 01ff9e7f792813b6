-- Apply a batch of the customer lane, or settle scheduled asks (a tick).
-- KEYS[4]  <base>: the prefix of
--   <base>:contacts  hash: customer id -> JSON ContactState
--   <base>:seen:<n>  hash (small): field of (customer id, event id) -> day of arrival
--   <base>:due       sorted set: request id by due time, ms      <base>:asks  hash: request id -> JSON SurveyRequest
-- plan: {day, contacts: how many, due: [[request id, ms, JSON], ...], settled: [request id, ...]}
-- ARGV[11 ...]  two for each contact: customer id, JSON; then two for each occasion that is new: n of its hash, field
local stop = fence()
if stop then return stop end
local CHUNK = 1000  -- Lua's stack is small
local base = KEYS[4]
local plan = cjson.decode(ARGV[7])
for name, kind in pairs({contacts = 'hash', due = 'zset', asks = 'hash'}) do
  if not is(base .. ':' .. name, kind) then return {'WRONGTYPE', base .. ':' .. name} end
end
-- A tick has no position: that its asks still stand is what makes it happen once.
for _, id in ipairs(plan.settled) do
  if not redis.call('ZSCORE', base .. ':due', id) then return {'DUP', redis.call('HGET', KEYS[1], 'seq') or '0'} end
end

local first, prefix = 11 + 2 * plan.contacts, base .. ':seen:'
for at = first, #ARGV, 2 do
  local written = redis.pcall('HSETNX', prefix .. ARGV[at], ARGV[at + 1], plan.day)
  if type(written) == 'table' then
    for undo = first, at - 2, 2 do redis.call('HDEL', prefix .. ARGV[undo], ARGV[undo + 1]) end
    return {'WRONGTYPE', prefix .. ARGV[at]}
  end
end

for _, id in ipairs(plan.settled) do
  redis.call('ZREM', base .. ':due', id)
  redis.call('HDEL', base .. ':asks', id)
end
for from = 11, first - 1, CHUNK do
  redis.call('HSET', base .. ':contacts', unpack(ARGV, from, math.min(from + CHUNK, first) - 1))
end
for _, ask in ipairs(plan.due) do
  redis.call('ZADD', base .. ':due', ask[2], ask[1])
  redis.call('HSET', base .. ':asks', ask[1], ask[3])
end
return finish()
