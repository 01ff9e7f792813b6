-- Note that something came of an invitation, and count it, once.
-- KEYS[1]  <base>:req:<id>, as in deliver_begin.lua   KEYS[2]  <base>:counts, as in fence.lua
-- ARGV[1]  what: opened, responded, declined, bounced or unsubscribed   ARGV[2] field of the count
if redis.call('HEXISTS', KEYS[1], 'request') == 0 then return 0 end -- a new hash would be kept for ever
if redis.call('HSETNX', KEYS[1], ARGV[1], 1) == 0 then return 0 end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return 1
