-- End a rebuild, whatever has become of it, and let go of a live lane that was held. There may be no memory left.
-- KEYS[1]  <base>:rebuild   KEYS[2]  <base>:lane   KEYS[3]  <base>, see Script in client.py   ARGV[1]  owner
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('HGET', KEYS[2], 'owner') == ARGV[1] then redis.pcall('HSET', KEYS[2], 'lease', '0') end
return 0
