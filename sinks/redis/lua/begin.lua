-- Set the position (the plan) of a partition that has none.
local stop = fence()
if stop then return stop end
redis.call('HSETNX', KEYS[1], 'off', ARGV[7])
return finish()
