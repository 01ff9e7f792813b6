-- Count a batch of answers, once each, in every series and window.
--
-- KEYS[4]  <base>: the prefix of
--   <base>:index:<n>       hash (small): field of the response id -> "version feed minute score day"
--   <base>:feed_id         hash: JSON list of series -> feed number     <base>:feeds  hash: feed number -> the list
--   <base>:b:<window>:<b>  hash: series -> histogram of the bucket      <base>:sum:<window>  hash: series -> histogram
--   <base>:sum:all, <base>:first   hashes: series -> histogram of all answers, of first acceptances
--   <base>:span            hash: window -> the oldest bucket inside its sum; "newest" -> the newest minute counted
-- A window's sum holds what its buckets hold, and there are none outside of that span. Its name carries the minutes
-- per bucket, "1h/5": with other buckets it is another window. The windows of the first batch begin with it, those
-- that are added later in shrink.lua. One that a batch leaves out has missed it, and is dropped.
-- plan: {day, windows: [[name, minutes per bucket, first bucket now, next bucket], ...],
--        feeds: [JSON list of series, ...],
--        answers: [[index, field, version, timed, feed, minute, score, returned event], ...]}

local stop = fence()
if stop then return stop end

local base = KEYS[4]
local plan = cjson.decode(ARGV[7])
local SCORES = 11
for _, name in ipairs({'feed_id', 'feeds', 'span'}) do
  if not is(base .. ':' .. name, 'hash') then return {'WRONGTYPE', base .. ':' .. name} end
end

local NEVER = math.huge
local feeds = redis.call('HLEN', base .. ':feed_id')
local from, dropped, newest = {}, {}, nil
for _, window in ipairs(plan.windows) do from[window[1]] = feeds == 0 and window[3] or NEVER end
local span = redis.call('HGETALL', base .. ':span')
for i = 1, #span, 2 do
  local name, value = span[i], tonumber(span[i + 1])
  if name == 'newest' then newest = value
  elseif from[name] then from[name] = value
  else dropped[name] = value end
end

-- Feeds are interned: an index entry has to say what was counted in a few bytes.
local feed_number, series_of, new_feeds = {}, {}, {}
for i, list in ipairs(plan.feeds) do
  local number = new_feeds[list] or redis.call('HGET', base .. ':feed_id', list)
  if not number then
    number = string.format('%.0f', feeds)
    feeds = feeds + 1
    new_feeds[list] = number
  end
  feed_number[i] = number
  series_of[number] = cjson.decode(list)
end
local function series(number)
  if not series_of[number] then series_of[number] = cjson.decode(redis.call('HGET', base .. ':feeds', number)) end
  return series_of[number]
end

-- First by (feed, minute): the spread over series and windows is paid once per cell, not once per answer.
local cells, firsts = {}, {}
local function add(map, number, minute, score, n)
  local minutes = map[number]
  if not minutes then minutes = {} map[number] = minutes end
  local cell = minutes[minute]
  if not cell then cell = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} minutes[minute] = cell end
  cell[score + 1] = cell[score + 1] + n
end

local function group(score)
  if score >= 9 then return 'promoter' end
  return score >= 7 and 'passive' or 'detractor'
end

local entries, corrections, late, events = {}, {}, 0, {}
local longest = plan.windows[#plan.windows]
for _, answer in ipairs(plan.answers) do
  local key, field, version = base .. ':index:' .. answer[1], answer[2], answer[3]
  local number, minute, score = feed_number[answer[5] + 1], answer[6], answer[7]
  local entry = entries[key]
  if not entry then
    if not is(key, 'hash') then return {'WRONGTYPE', key} end
    entry = {}
    entries[key] = entry
  end
  local old = entry[field] or redis.call('HGET', key, field)
  local day = plan.day
  local known_version, known_feed, known_minute, known_score, known_day
  if old then
    known_version, known_feed, known_minute, known_score, known_day = old:match('^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    if answer[4] == 0 then minute = tonumber(known_minute) end
    day = known_day
  end
  if not old or version >= tonumber(known_version) then
    if not old then
      add(firsts, number, 0, score, 1)
      if longest and math.floor(minute / longest[2]) < longest[3] then late = late + 1 end
      if answer[8] then events[#events + 1] = answer[8] end
    end
    local same = old and known_feed == number and tonumber(known_minute) == minute and tonumber(known_score) == score
    if not same then
      if old then
        add(cells, known_feed, tonumber(known_minute), tonumber(known_score), -1)
        local from_group, to_group = group(tonumber(known_score)), group(score)
        for _, name in ipairs(series(known_feed)) do
          local of = cjson.decode(name)
          local count = {'nps_corrections_total', of[1], from_group, to_group}
          if of[2] then count = {'nps_segment_corrections_total', of[1], of[2], of[3], from_group, to_group} end
          count = cjson.encode(count)
          corrections[count] = (corrections[count] or 0) + 1
        end
      end
      add(cells, number, minute, score, 1)
    end
    entry[field] = string.format('%.0f %s %d %d %s', version, number, minute, score, tostring(day))
  end
end

-- Then per hash: series -> what to add.
local deltas, latest = {}, newest or 0
local function spread(key, number, cell)
  local hash = deltas[key]
  if not hash then hash = {} deltas[key] = hash end
  for _, name in ipairs(series(number)) do
    local sum = hash[name]
    if not sum then
      hash[name] = {unpack(cell)}
    else
      for i = 1, SCORES do sum[i] = sum[i] + cell[i] end
    end
  end
end
for number, minutes in pairs(cells) do
  for minute, cell in pairs(minutes) do
    latest = math.max(latest, minute)
    spread(base .. ':sum:all', number, cell)
    for _, window in ipairs(plan.windows) do
      local bucket = math.floor(minute / window[2])
      if bucket >= from[window[1]] then
        spread(base .. ':sum:' .. window[1], number, cell)
        spread(string.format('%s:b:%s:%.0f', base, window[1], bucket), number, cell)
      end
    end
  end
end
for number, minutes in pairs(firsts) do spread(base .. ':first', number, minutes[0]) end
for key in pairs(deltas) do if not is(key, 'hash') then return {'WRONGTYPE', key} end end

-- Nothing was written up to here.
for name, bucket in pairs(dropped) do
  for b = bucket, math.floor(newest / name:match('/(%d+)$')) do
    redis.call('DEL', string.format('%s:b:%s:%.0f', base, name, b))
  end
  redis.call('DEL', base .. ':sum:' .. name)
  redis.call('HDEL', base .. ':span', name)
end
for name, bucket in pairs(from) do
  if bucket < NEVER then redis.call('HSET', base .. ':span', name, string.format('%.0f', bucket)) end
end
redis.call('HSET', base .. ':span', 'newest', string.format('%.0f', latest))
for list, number in pairs(new_feeds) do
  redis.call('HSET', base .. ':feed_id', list, number)
  redis.call('HSET', base .. ':feeds', number, list)
end
for key, entry in pairs(entries) do
  for field, text in pairs(entry) do redis.call('HSET', key, field, text) end
end
for key, hash in pairs(deltas) do
  for name, delta in pairs(hash) do
    local known = redis.call('HGET', key, name)
    local zero = true
    if known then
      known = cjson.decode(known)
      for i = 1, SCORES do delta[i] = delta[i] + known[i] end
    end
    for i = 1, SCORES do if delta[i] ~= 0 then zero = false break end end
    -- An empty histogram is no histogram: the state is the same whatever the order of arrival.
    if zero then redis.call('HDEL', key, name) else redis.call('HSET', key, name, cjson.encode(delta)) end
  end
end
for count, n in pairs(corrections) do redis.call('HINCRBY', KEYS[3], count, n) end
if late > 0 then redis.call('HINCRBY', KEYS[3], '["livenps_late_responses_total"]', late) end
if #events > 0 then redis.call('XADD', KEYS[2], '*', 'e', '[' .. table.concat(events, ',') .. ']') end
return finish()
