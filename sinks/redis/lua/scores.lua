-- Read what one partition counts, without writing: whoever reads need not own.
-- KEYS[1]  <base>, as in answers.lua   KEYS[2]  <base>:lane, or <base>:rebuild for what is rebuilt
-- ARGV[1]  [[window, minutes per bucket, first bucket now, next bucket], ...]
-- ARGV[2]  how many bytes of what is pending at least, where there are so many; or "" for all of it and the sums too
-- Reply: {off or "", until or "", span, pending, {expired bucket, ...} by window, sums, first}, or {"WRONGTYPE", key}
--   span, a bucket, sums and first are flat lists, as Redis gives hashes.
local SOME = 10
local lane = redis.call('HMGET', KEYS[2], 'off', 'until', 'build')
local base, wrong = KEYS[1] .. ':' .. (lane[3] or '0'), nil
local function read(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if not found.err then return found end
  wrong = key
  return {}
end
local span, begins = read('HGETALL', base .. ':span'), {}
for i = 1, #span, 2 do begins[span[i]] = tonumber(span[i + 1]) end
local expired = {}
for i, window in ipairs(cjson.decode(ARGV[1])) do
  local parts = {}
  -- Nothing can have expired after the newest bucket, however long nobody has ticked.
  local last = math.min(window[3] - 1, math.floor((begins.newest or -1) / window[2]))
  for bucket = begins[window[1]] or window[3], last do
    local cells = read('HGETALL', string.format('%s:b:%s:%d', base, window[1], bucket))
    if #cells > 0 then parts[#parts + 1] = cells end
  end
  expired[i] = parts
end
local whole = ARGV[2] == ''
local pending, size, wanted = {}, 0, whole and math.huge or tonumber(ARGV[2])
while size < wanted do
  local some = read('LRANGE', base .. ':pending', #pending, #pending + SOME - 1)
  for _, entry in ipairs(some) do
    pending[#pending + 1] = entry
    size = size + #entry
  end
  if #some < SOME then break end
end
local sums = whole and read('HGETALL', base .. ':sums') or {}
local first = whole and read('HGETALL', KEYS[1] .. ':first') or {}
if wrong then return {'WRONGTYPE', wrong} end
return {lane[1] or '', lane[2] or '', span, pending, expired, sums, first}
