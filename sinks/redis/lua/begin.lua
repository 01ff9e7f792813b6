-- Set the position of a partition that has none. The plan: [position, until]
local stop = fence()
if stop then return stop end
local position = cjson.decode(ARGV[7])
if redis.call('HSETNX', KEYS[1], 'off', string.format('%d', position[1])) == 1 and position[1] < position[2] then
  redis.call('HSET', KEYS[1], 'until', string.format('%d', position[2]))
end
return finish()
