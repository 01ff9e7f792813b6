-- The next turn of a channel that may send only so often, over all workers: GCRA without a burst.
-- KEYS[1]  <base>:rate:<channel>  when the turn after this one is, us of Redis' clock
-- ARGV[1]  us between two turns
-- Reply: us until the turn, which is taken.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local free = turn + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', free), 'PX', string.format('%.0f', math.ceil((free - now) / 1000) + 1))
return turn - now
