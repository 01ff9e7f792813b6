-- Write and count an outcome, once.
-- KEYS[1]  <base>:req:<id>, as in deliver_begin.lua   KEYS[2]  <base>:counts, as in fence.lua
-- ARGV[1]  outcome   ARGV[2] field of the count
if redis.call('HGET', KEYS[1], 'state') ~= 'attempted' then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return 1
