-- Become the owner of a partition. Reply {"OK", seq, off or "", ts or ""}.
local stop = fence(true)
if stop then return stop end
local lane = redis.call('HMGET', KEYS[1], 'seq', 'off', 'ts')
return {'OK', lane[1] or '0', lane[2] or '', lane[3] or ''}
