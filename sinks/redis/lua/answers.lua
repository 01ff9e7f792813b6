-- Count a batch of answers, once each, in every series and window.
--
-- KEYS[4]  <base>: the prefix of
--   <base>:series   hash: series -> its number            <base>:feeds  hash: feed id -> JSON list of series
--   <base>:first    hash: number of a series -> histogram of first acceptances
-- and, under <base>:<build> (a rebuild fills another one beside it), of
--   :index:<n>         hash (small): field of the response id -> what was counted: version, feed id, minute, score,
--                      day of arrival (8, 8, 4, 1 and 2 bytes, the highest first)
--   :b:<window>:<b>    hash: number of a series -> histogram of the bucket
--   :sum:<window>      the same of the whole window            :sum:all  the same of all answers
--   :span              hash: window -> the oldest bucket inside its sum; "newest" -> the newest minute counted
-- A histogram is a JSON list of 11 counts. An empty one is none: the state is the same whatever the order of arrival.
-- A window's sum holds what its buckets hold, and there are none outside of that span. Its name carries the minutes
-- per bucket, "1h/5": with other buckets it is another window. The windows of the first batch begin with it, those
-- that are added later in shrink.lua. One that a batch leaves out has missed it, and is dropped.
--
-- plan: {windows: [[name, minutes per bucket, first bucket now, next bucket], ...],
--        feeds: [JSON list of series, ...], series: [name, ...],
--        total: rows, buckets: [[[bucket, rows], ...] by window, ...],
--        newest: the newest minute, late: answers older than the longest window,
--        events: [[answer, returned event], ...], recount: whether this is a rebuild, which only fills its build}
--   rows: [[series, by its place in the plan from 0, histogram], ...]. They take every answer for a first one.
-- ARGV[11]  the feeds' ids, 8 bytes each
-- ARGV[12]  the answers, 36 bytes each: n of the index (4 hex digits), field (8), what is counted (23), timed (1)

local stop = fence()
if stop then return stop end

local byte, sub, call = string.byte, string.sub, redis.call
local plan, ids, answers = cjson.decode(ARGV[7]), ARGV[11], ARGV[12]
local SCORES, ANSWER = 11, 36
local base, data = KEYS[4], KEYS[4] .. ':' .. build()

for _, key in ipairs({base .. ':series', base .. ':feeds', base .. ':first', data .. ':span', data .. ':sum:all'}) do
  if not is(key, 'hash') then return {'WRONGTYPE', key} end
end

-- Only buckets inside their window are touched; a window that is new to this state holds nothing yet.
local from, dropped, newest = {}, {}, nil
local begun = call('EXISTS', data .. ':sum:all') == 1
for _, window in ipairs(plan.windows) do from[window[1]] = begun and math.huge or window[3] end
local span = call('HGETALL', data .. ':span')
for i = 1, #span, 2 do
  local name, value = span[i], tonumber(span[i + 1])
  if name == 'newest' then newest = value
  elseif not from[name] then dropped[name] = value end
end
for _, window in ipairs(plan.windows) do
  if begun and call('HEXISTS', data .. ':span', window[1]) == 1 then from[window[1]] = expire(data, window, newest) end
end

-- Series are interned: a cell has to say which one in a few bytes.
local number, known, new_series = {}, call('HLEN', base .. ':series'), {}
for i, name in ipairs(plan.series) do
  local found = call('HGET', base .. ':series', name)
  if not found then
    found = string.format('%d', known)
    known = known + 1
    new_series[#new_series + 1] = {name, found}
  end
  number[i - 1], number[name] = found, found
end
local histograms = {}  -- key of a hash -> number of a series -> what to add
local function histogram(key, series)
  local hash = histograms[key]
  if not hash then
    hash = {}
    histograms[key] = hash
  end
  local one = hash[series]
  if not one then
    one = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    hash[series] = one
  end
  return one
end
local function fill(key, rows)
  for _, row in ipairs(rows) do
    local one, more = histogram(key, number[row[1]]), row[2]
    for i = 1, SCORES do one[i] = one[i] + more[i] end
  end
end
local function bucket_key(window, bucket) return string.format('%s:b:%s:%d', data, window, bucket) end

fill(data .. ':sum:all', plan.total)
fill(base .. ':first', plan.total)
for i, window in ipairs(plan.windows) do
  local name = window[1]
  for _, bucket in ipairs(plan.buckets[i]) do
    if bucket[1] >= from[name] then
      fill(bucket_key(name, bucket[1]), bucket[2])
      fill(data .. ':sum:' .. name, bucket[2])
    end
  end
end

-- A new answer takes this one call. All are counted by now; what was known has to be put right.
local index, repeats, repeated = data .. ':index:', {}, {}
local function place(at) return index .. sub(answers, at + 1, at + 4), sub(answers, at + 5, at + 12) end
local function undo(before)
  for at = 0, before - ANSWER, ANSWER do
    if not repeated[at] then call('HDEL', place(at)) end
  end
end
for at = 0, #answers - ANSWER, ANSWER do
  local key, field = place(at)
  local new = redis.pcall('HSETNX', key, field, sub(answers, at + 13, at + 35))
  if new ~= 1 then
    if new ~= 0 then
      undo(at)
      return {'WRONGTYPE', key}
    end
    repeats[#repeats + 1] = at
    repeated[at] = true
  end
end

local function big(text, first, last)
  local n = 0
  for i = first, last do n = n * 256 + byte(text, i) end
  return n
end
local series_of = {}
for i, list in ipairs(plan.feeds) do series_of[sub(ids, i * 8 - 7, i * 8)] = cjson.decode(list) end
local function series(feed)
  if not series_of[feed] then series_of[feed] = cjson.decode(call('HGET', base .. ':feeds', feed)) end
  return series_of[feed]
end
local function add(key, answer, n)
  for _, name in ipairs(series(answer.feed)) do
    if not number[name] then number[name] = call('HGET', base .. ':series', name) end
    local one = histogram(key, number[name])
    one[answer.score + 1] = one[answer.score + 1] + n
  end
end
local function count(answer, n)
  add(data .. ':sum:all', answer, n)
  for _, window in ipairs(plan.windows) do
    local bucket = math.floor(answer.minute / window[2])
    if bucket >= from[window[1]] then
      add(data .. ':sum:' .. window[1], answer, n)
      add(bucket_key(window[1], bucket), answer, n)
    end
  end
end
local function read(text)
  return {version = big(text, 1, 8), feed = sub(text, 9, 16), minute = big(text, 17, 20), score = byte(text, 21)}
end
local function group(score)
  if score >= 9 then return 'promoter' end
  return score >= 7 and 'passive' or 'detractor'
end
local corrections = {}
local function correct(old, new)
  for _, name in ipairs(series(old.feed)) do
    local of = cjson.decode(name)
    local counter = {'nps_corrections_total', of[1], group(old.score), group(new.score)}
    if of[2] then
      counter = {'nps_segment_corrections_total', of[1], of[2], of[3], group(old.score), group(new.score)}
    end
    counter = cjson.encode(counter)
    corrections[counter] = (corrections[counter] or 0) + 1
  end
end

local updates, late, longest = {}, plan.late, plan.windows[#plan.windows]
local function put_right(at)
  local key, field = place(at)
  local text = sub(answers, at + 13, at + 35)
  local update = updates[key] or {}
  updates[key] = update
  local old_text = update[field] or call('HGET', key, field)
  local new, old = read(text), read(old_text)
  count(new, -1)
  add(base .. ':first', new, -1)
  if longest and math.floor(new.minute / longest[2]) < longest[3] then late = late - 1 end
  if new.version >= old.version then
    local time = sub(text, 17, 20)
    if byte(answers, at + 36) == 0 then
      new.minute, time = old.minute, sub(old_text, 17, 20)
    end
    if new.feed ~= old.feed or new.minute ~= old.minute or new.score ~= old.score then
      count(old, -1)
      count(new, 1)
      correct(old, new)
    end
    update[field] = sub(text, 1, 16) .. time .. sub(text, 21, 21) .. sub(old_text, 22, 23)
  end
end

-- Everything is read before the rest is written, and what cannot be read leaves no answer known and yet not counted.
local function read_all()
  for _, at in ipairs(repeats) do put_right(at) end
  if plan.recount then histograms[base .. ':first'] = nil end
  for key, hash in pairs(histograms) do
    if not is(key, 'hash') then return key end
    for series, one in pairs(hash) do
      local known = call('HGET', key, series)
      if known then
        known = cjson.decode(known)
        for i = 1, SCORES do one[i] = one[i] + known[i] end
      end
    end
  end
end
local readable, wrong = pcall(read_all)
if wrong then
  undo(#answers)
  if readable then return {'WRONGTYPE', wrong} end
  error(wrong)
end

-- Nothing but new answers' entries was written up to here.
for name, bucket in pairs(dropped) do
  for b = bucket, math.floor(newest / name:match('/(%d+)$')) do call('DEL', bucket_key(name, b)) end
  call('DEL', data .. ':sum:' .. name)
  call('HDEL', data .. ':span', name)
end
for name, bucket in pairs(from) do
  if not begun then call('HSET', data .. ':span', name, string.format('%d', bucket)) end
end
call('HSET', data .. ':span', 'newest', string.format('%d', math.max(newest or 0, plan.newest)))
for _, one in ipairs(new_series) do call('HSET', base .. ':series', one[1], one[2]) end
for i, list in ipairs(plan.feeds) do call('HSETNX', base .. ':feeds', sub(ids, i * 8 - 7, i * 8), list) end
for key, update in pairs(updates) do
  for field, text in pairs(update) do call('HSET', key, field, text) end
end
for key, hash in pairs(histograms) do
  for series, one in pairs(hash) do
    if empty(one) then
      call('HDEL', key, series)
    else
      call('HSET', key, series, cjson.encode(one))
    end
  end
end
if not plan.recount then
  for counter, n in pairs(corrections) do call('HINCRBY', KEYS[3], counter, n) end
  if late > 0 then call('HINCRBY', KEYS[3], '["livenps_late_responses_total"]', late) end
  local events = {}
  for _, event in ipairs(plan.events) do
    if not repeated[event[1] * ANSWER] then events[#events + 1] = event[2] end
  end
  if #events > 0 then call('XADD', KEYS[2], '*', 'e', '[' .. table.concat(events, ',') .. ']') end
end
return finish()
