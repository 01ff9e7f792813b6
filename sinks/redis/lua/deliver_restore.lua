-- Know a request again that was attempted before the state was lost, unless it is known.
-- KEYS[1]  <base>:req:<id>, as in deliver_begin.lua   KEYS[2]  as there
-- ARGV[1]  request   ARGV[2] the newest outcome in the log   ARGV[3] time to keep, ms
if redis.call('HEXISTS', KEYS[1], 'request') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'request', ARGV[1], 'state', ARGV[2], 'by', '', 'until', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if KEYS[2] then
  redis.call('HSET', KEYS[2], 'request', ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
