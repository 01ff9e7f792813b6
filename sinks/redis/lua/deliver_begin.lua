-- Take the lease of one request before an attempt, or hold our own for longer.
-- KEYS[1]  <base>:req:<id>  hash: request (JSON), state (attempted, sent, failed, unknown), by (whose attempt),
--                            until (ms of Redis' clock)
-- KEYS[2]  where there is one: what the survey page finds, whose request becomes this one
-- ARGV[1]  request   ARGV[2] lease, ms   ARGV[3] time to keep, ms   ARGV[4] by: the same one's repeat is no other's
-- Reply: "new", "done", "interrupted", or the ms that another worker's lease still runs.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'attempted' then return 'done' end
local ours = state and redis.call('HGET', KEYS[1], 'by') == ARGV[4]
if state and not ours then
  local left = tonumber(redis.call('HGET', KEYS[1], 'until')) - now
  if left > 0 then return left end
end
redis.call('HSET', KEYS[1], 'request', ARGV[1], 'state', 'attempted', 'by', ARGV[4], 'until', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if KEYS[2] then
  redis.call('HSET', KEYS[2], 'request', ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return state and not ours and 'interrupted' or 'new'
