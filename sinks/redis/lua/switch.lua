-- Make a rebuilt state the live one where both stand at the same position.
-- KEYS[1] is <base>:rebuild here, see rebuild.py.
-- plan: {build: the rebuilt one, as start.lua has numbered it,
--        seq: the live state's, when it was compared with the rebuilt one,
--        adopt: false where the rebuilt one was only to be compared,
--        jump: whether the live position is given up for the rebuilt one,
--        hold: ms}
-- A live lane that has moved on since is BEHIND: its position. Then its owner may be kept from it for so many ms: of
-- the same generation and under a lease, this owner fences it, and its next claim is let in when the lease is over.
local plan = cjson.decode(ARGV[7])
local live = KEYS[4] .. ':lane'
if not is(live, 'hash') then return {'WRONGTYPE', live} end
local lane = redis.call('HMGET', live, 'off', 'seq', 'build')
if lane[3] == plan.build then return {'OK', '0'} end  -- sent again, because the reply was lost
local stop = fence()
if stop then return stop end
local rebuilt = redis.call('HMGET', KEYS[1], 'off', 'ts')
if not (lane[1] and rebuilt[1]) then return {'LOST'} end
if (lane[2] or '') ~= plan.seq or (lane[1] ~= rebuilt[1] and not plan.jump) then
  if plan.hold > 0 then
    redis.call('HSET', live, 'owner', owner, 'lease', string.format('%.0f', clock() + plan.hold))
  end
  return {'BEHIND', lane[1]}
end
if not plan.adopt then return {'OK', ARGV[10]} end
local left = KEYS[4] .. ':' .. (lane[3] or '0') .. ':pending'
local pending = is(left, 'list') and redis.call('LRANGE', left, 0, -1) or {}

if plan.jump then
  redis.call('HSET', live, 'off', rebuilt[1], 'ts', rebuilt[2] or '')
  redis.call('HDEL', live, 'until')
end
-- First acceptances are no build's: those that the live one has not folded in yet (answers.lua) go on to the other.
local kept, FIRST = {}, {['\1'] = '\5', ['\2'] = '\6', ['\5'] = '\5', ['\6'] = '\6'}
for _, changes in ipairs(pending) do
  for at = 1, #changes, 14 do
    local kind = FIRST[string.sub(changes, at + 13, at + 13)]
    if kind then kept[#kept + 1] = string.sub(changes, at, at + 12) .. kind end
  end
end
local PART = 2000  -- changes: folding takes whole entries of the list
for at = 1, #kept, PART do
  redis.call('RPUSH', KEYS[4] .. ':' .. plan.build .. ':pending', table.concat(kept, '', at, math.min(at + PART - 1, #kept)))
end
redis.call('HSET', live, 'build', plan.build)
redis.call('HINCRBY', live, 'seq', 1)
redis.call('DEL', KEYS[1])
return {'OK', '0'}
