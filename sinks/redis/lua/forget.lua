-- Tick of the customer lane that has nothing to settle: keep the lease, and forget occasions seen long ago, and
-- invitations that no window holds any more.
-- KEYS[4]  <base>, as in customers.lua
-- plan: as in sweep.lua, and {hour: of now, oldest: {minutes: the oldest bucket that is kept}}
local stop = fence()
if stop then return stop end
local plan, cohorts = cjson.decode(ARGV[7]), KEYS[4] .. ':cohorts'
sweep(KEYS[4] .. ':seen', plan, tonumber)
if not is(cohorts, 'hash') then return {'WRONGTYPE', cohorts} end
if redis.call('EXISTS', cohorts) == 1 and redis.call('HGET', cohorts, 'swept') ~= plan.hour then
  for _, field in ipairs(redis.call('HKEYS', cohorts)) do
    local minutes, bucket = string.match(field, '^(%d+):(%d+):')
    if minutes and tonumber(bucket) < (plan.oldest[minutes] or math.huge) then redis.call('HDEL', cohorts, field) end
  end
  redis.call('HSET', cohorts, 'swept', plan.hour)
end
return finish()
