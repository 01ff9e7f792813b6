-- Give up a claim of ours: nothing was sent.
-- KEYS[1]  <base>:report:<id>, as in deliver_begin.lua   ARGV[1]  by
local state = redis.call('HMGET', KEYS[1], 'state', 'by')
if state[1] ~= 'attempted' or state[2] ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
