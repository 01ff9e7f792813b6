-- Tick of the answers lane: what has left a window leaves its sum, and old entries leave the index. Idempotent.
-- A window that was added to a state that has counted answers begins behind all of them: what it never held can
-- then not be taken out of it. So does one that begins even later, because some worker's clock was ahead.
-- KEYS[4]  <base>, as in answers.lua
-- plan: {windows: [[window, minutes per bucket, first bucket now, next bucket], ...], before: day, sweep: n, hashes: m}
--   Entries of the index that arrived before that day are forgotten, in n of its m hashes at a time.
local stop = fence()
if stop then return stop end
local plan = cjson.decode(ARGV[7])
local data = KEYS[4] .. ':' .. build()
local span = data .. ':span'
local newest = tonumber(redis.call('HGET', span, 'newest') or '')
if newest and redis.call('EXISTS', data .. ':sum:all') == 1 then
  for _, window in ipairs(plan.windows) do
    local behind = math.max(window[4], math.floor(newest / window[2]) + 1)
    local from = tonumber(redis.call('HGET', span, window[1]) or math.huge)
    if from > behind then redis.call('HSET', span, window[1], string.format('%d', behind)) end
    expire(data, window, newest)
  end
end

sweep(data .. ':index', plan, function(entry)
  local high, low = string.byte(entry, 22, 23)
  return high * 256 + low
end)
return finish()
