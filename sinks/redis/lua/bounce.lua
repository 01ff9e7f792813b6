-- Count a mail that came back, once.
-- KEYS[1]  <base>:bounce:<kind>:<customer and id>  that it was told   KEYS[2]  <base>:counts, as in fence.lua
-- ARGV[1]  field of the count   ARGV[2] how long a repeat is known, ms
if not redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
return 1
