-- Keep what is known of watched series.
-- KEYS[4]  <base>: <base>:series  hash: key of a series -> WatchedSeries, JSON
-- plan: [[key of a series, JSON], ...]
local stop = fence()
if stop then return stop end
local series = KEYS[4] .. ':series'
if not is(series, 'hash') then return {'WRONGTYPE', series} end
for _, one in ipairs(cjson.decode(ARGV[7])) do redis.call('HSET', series, one[1], one[2]) end
return finish()
