-- Have a request wait for its customer on the site and in the app.
-- KEYS[1]  <base>:offers:<customer>  sorted set: request id, scored by when it was due (ms)
-- ARGV[1]  request id   ARGV[2] due, ms   ARGV[3] how long it waits, ms   ARGV[4] how many wait at most, the newest
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local left = tonumber(ARGV[2]) + tonumber(ARGV[3]) - now
if left <= 0 then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
if redis.call('PTTL', KEYS[1]) < left then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left)) end
return 1
