-- Become the owner of a partition. Reply {"OK", off or "", ts or ""}.
local stop = fence(true)
if stop then return stop end
local lane = redis.call('HMGET', KEYS[1], 'off', 'ts')
return {'OK', lane[1] or '', lane[2] or ''}
