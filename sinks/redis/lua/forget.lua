-- Tick of the customer lane that has nothing to settle: keep the lease, and forget occasions seen long ago.
-- KEYS[4]  <base>, as in customers.lua
-- plan: {before: day, sweep: n, hashes: m}: those that arrived before that day, in n of the m hashes at a time.
local stop = fence()
if stop then return stop end
local plan = cjson.decode(ARGV[7])
local swept = tonumber(redis.call('HGET', KEYS[1], 'swept') or 0)
for n = swept, swept + plan.sweep - 1 do
  local key = string.format('%s:seen:%04x', KEYS[4], n)
  local entries = redis.call('HGETALL', key)
  for i = 1, #entries, 2 do
    if tonumber(entries[i + 1]) < plan.before then redis.call('HDEL', key, entries[i]) end
  end
end
redis.call('HSET', KEYS[1], 'swept', string.format('%d', (swept + plan.sweep) % plan.hashes))
return finish()
