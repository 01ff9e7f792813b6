-- Set the position by hand, back or forth: ARGV[4] is where it has to stand, ARGV[5] where it shall.
local stop = fence()
if stop then return stop end
redis.call('HDEL', KEYS[1], 'until')
return finish()
