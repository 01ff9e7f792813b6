-- Remove some keys of builds that are in use no more. Reply: how many.
-- KEYS[1]  <base>   KEYS[2]  <base>:lane   KEYS[3]  <base>:rebuild   KEYS[4...]  <base>:<build>:...
local live, rebuilt = redis.call('HGET', KEYS[2], 'build') or '0', redis.call('HGET', KEYS[3], 'build')
local gone = 0
for i = 4, #KEYS do
  local build = string.match(string.sub(KEYS[i], #KEYS[1] + 1), '^:(%d+):')
  if build and build ~= live and build ~= rebuilt then gone = gone + redis.call('UNLINK', KEYS[i]) end
end
return gone
