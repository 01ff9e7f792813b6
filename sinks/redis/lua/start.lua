-- Begin a rebuild, under a lease of its own, with nothing of one that died. The plan: [position]
-- Reply: {"OK", seq, build}, or as in fence.lua.
-- KEYS[1] is <base>:rebuild here, see rebuild.py. The live lane's hash counts the builds there were, `builds`: no
-- number is used twice, so that whoever is late can neither fill nor remove another one's.
local stop = fence(true)
if stop then return stop end
local live = KEYS[4] .. ':lane'
if not is(live, 'hash') then return {'WRONGTYPE', live} end
local position = cjson.decode(ARGV[7])[1]
local number = redis.call('HINCRBY', live, 'builds', 1)
redis.call('HDEL', KEYS[1], 'ts', 'at', 'until')
redis.call('HSET', KEYS[1], 'off', string.format('%d', position), 'build', string.format('%d', number))
local reply = finish()
reply[3] = string.format('%d', number)
return reply
