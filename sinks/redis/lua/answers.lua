-- Tell which answers of a batch are new, and note what all of them change, to be folded into the counts (fold.lua).
--
-- KEYS[4]  <base>: the prefix of
--   <base>:series   hash: id of a series (8 bytes) -> its name, JSON
--   <base>:feeds    hash: id of a feed (8 bytes) -> the ids of the series it feeds
--   <base>:first    hash: id of a series -> histogram of first acceptances
--   <base>:newest   hash: survey -> minute of the newest answer that came
-- and, under <base>:<build> (a rebuild fills another one beside it), of
--   :index:<n>         hash (small): field of the response id -> what was counted: version, feed, minute, score, day of
--                      arrival (8, 8, 4, 1 and 2 bytes, the highest first)
--   :pending           list: changes that are counted and not folded in yet, 14 bytes each: feed, minute, score, kind
--   :sums              hash: id of a series -> histograms of all answers, of the windows that :span names, and of the
--                      newest bucket of each
--   :b:<window>:<b>    hash: id of a series -> histogram of an older bucket
--   :span              hash: window -> the oldest bucket inside its sum; "newest" -> the newest minute folded in;
--                      "windows" -> their names in the order of the sums, JSON
-- Ids are hashes of what they name. A histogram is 11 counts of 4 bytes. An empty one is none: the state is the same
-- whatever the order of arrival. A name carries the minutes per bucket, "1h/5": with others it is another window.
--
-- plan: {feeds: [how many series each new feed has, ...], series: [the name of each new series, ...],
--        events: [[answer, returned event], ...],
--        steps: [[[answer, ...], returned event of a watched series, with the offsets of these answers], ...],
--        late: answers older than the longest window,
--        newest: {survey: minute of its newest answer in the batch, ...},
--        longest: that window's minutes per bucket, and its oldest bucket now, or nothing,
--        recount: whether this is a rebuild, which only fills its build}
-- ARGV[11]  the answers, 36 bytes each: n of the index (4 hex digits), field (8), what is counted (23), timed (1)
-- ARGV[12]  what they change, were all of them new
-- ARGV[13]  the new feeds: id, ids of its series     ARGV[14]  the ids of the new series
-- ARGV[15]  {survey: [metric, lowest score, group of each score], ...}, which only corrections need

local stop = fence()
if stop then return stop end

local byte, sub, call = string.byte, string.sub, redis.call
local plan, answers = cjson.decode(ARGV[7]), ARGV[11]
local ANSWER, PART = 36, 14 * 2000  -- bytes; folding takes whole entries of the list, which may each feed many series
local OUT, IN = '\3', '\4'  -- kinds of changes, see counts.py
local REPEATED = plan.recount and OUT or '\2'
local base, data = KEYS[4], KEYS[4] .. ':' .. build()

local kinds = {series = 'hash', feeds = 'hash', newest = 'hash', [build() .. ':pending'] = 'list'}
for name, kind in pairs(kinds) do
  local key = base .. ':' .. name
  if not is(key, kind) then return {'WRONGTYPE', key} end
end

-- A new answer takes this one call. Those that were known are put right afterwards.
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

local function number(text, first, last)
  local n = 0
  for i = first, last do n = n * 256 + byte(text, i) end
  return n
end
local feeds, series, at = {}, {}, 1
for _, n in ipairs(plan.feeds) do
  feeds[sub(ARGV[13], at, at + 7)] = sub(ARGV[13], at + 8, at + 7 + 8 * n)
  at = at + 8 + 8 * n
end
for i, name in ipairs(plan.series) do series[sub(ARGV[14], i * 8 - 7, i * 8)] = name end
local function find(key, id) return call('HGET', key, id) or error(key .. ' does not say what was counted') end
local corrections, scales = {}, nil
local function correct(old, new)  -- feed, minute and score of each
  scales = scales or cjson.decode(ARGV[15])
  local fed = feeds[sub(old, 1, 8)] or find(base .. ':feeds', sub(old, 1, 8))
  for i = 1, #fed, 8 do
    local id = sub(fed, i, i + 7)
    local of = cjson.decode(series[id] or find(base .. ':series', id))
    local metric, lowest, groups = unpack(scales[of[1]] or {'', 0, {}})
    local from, to = groups[byte(old, 13) - lowest + 1], groups[byte(new, 13) - lowest + 1]
    if from and to then  -- of a survey that is gone, or had another scale, there is nothing to tell
      local counter = {metric .. '_corrections_total', of[1], from, to}
      if of[2] then counter = {metric .. '_segment_corrections_total', of[1], of[2], of[3], from, to} end
      counter = cjson.encode(counter)
      corrections[counter] = (corrections[counter] or 0) + 1
    end
  end
end

local updates, late, changes = {}, plan.late, {}
local function put_right(at)
  local key, field = place(at)
  local new = sub(answers, at + 13, at + 35)
  local update = updates[key] or {}
  updates[key] = update
  local old = update[field] or call('HGET', key, field)
  local counts, counted = sub(new, 9, 21), sub(old, 9, 21)
  changes[#changes + 1] = counts .. REPEATED
  if plan.longest and math.floor(number(new, 17, 20) / plan.longest[1]) < plan.longest[2] then late = late - 1 end
  if number(new, 1, 8) >= number(old, 1, 8) then
    if byte(answers, at + 36) == 0 then counts = sub(new, 9, 16) .. sub(old, 17, 20) .. sub(new, 21, 21) end
    if counts ~= counted then
      changes[#changes + 1] = counted .. OUT .. counts .. IN
      correct(counted, counts)
    end
    update[field] = sub(new, 1, 8) .. counts .. sub(old, 22, 23)
  end
end

-- Everything is read before the rest is written, and what cannot be read leaves no answer known and yet not counted.
local readable, wrong = pcall(function()
  for _, at in ipairs(repeats) do put_right(at) end
end)
if not readable then
  undo(#answers)
  local why = type(wrong) == 'table' and wrong.err or tostring(wrong)
  return redis.error_reply((string.gsub(why, '%c+', ' ')))
end

-- Nothing but new answers' entries was written up to here.
for id, of in pairs(feeds) do call('HSETNX', base .. ':feeds', id, of) end
for id, name in pairs(series) do call('HSETNX', base .. ':series', id, name) end
for key, update in pairs(updates) do
  for field, entry in pairs(update) do call('HSET', key, field, entry) end
end
changes = ARGV[12] .. table.concat(changes)
for at = 1, #changes, PART do call('RPUSH', data .. ':pending', sub(changes, at, at + PART - 1)) end
for survey, minute in pairs(plan.newest) do
  if minute > tonumber(call('HGET', base .. ':newest', survey) or -1) then
    call('HSET', base .. ':newest', survey, minute)
  end
end
if not plan.recount then
  for counter, n in pairs(corrections) do call('HINCRBY', KEYS[3], counter, n) end
  if late > 0 then call('HINCRBY', KEYS[3], '["livenps_late_responses_total"]', late) end
  local events = {}
  for _, event in ipairs(plan.events) do
    if not repeated[event[1] * ANSWER] then events[#events + 1] = event[2] end
  end
  for _, step in ipairs(plan.steps) do
    local scores, offsets, event = {}, {}, cjson.decode(step[2])
    for i, n in ipairs(step[1]) do
      if not repeated[n * ANSWER] then
        scores[#scores + 1] = byte(answers, n * ANSWER + 33)
        offsets[#offsets + 1] = event[3].offsets[i]
      end
    end
    event[3].scores, event[3].offsets = scores, offsets
    if #scores > 0 then events[#events + 1] = cjson.encode(event) end
  end
  if #events > 0 then call('XADD', KEYS[2], '*', 'e', '[' .. table.concat(events, ',') .. ']') end
end
return finish()
