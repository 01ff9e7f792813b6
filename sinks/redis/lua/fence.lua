-- What every lane script begins with. Appended: the body of one script, which calls these functions.
--
-- KEYS[1]  <base>:lane    hash: off, ts (of the last record), at (when applied), owner, gen, lease (ms of Redis' clock),
--                         seq (how often the state was changed), until (a first pass over the log ends there),
--                         build (which generation of the data is live, see answers.lua)
-- KEYS[2]  <base>:out     stream: returned events, one entry a batch, field e: JSON [[topic role, key, event], ...]
-- KEYS[3]  <base>:counts  hash: JSON [name, label values ...] -> count
-- ARGV[1]  owner   ARGV[2] generation   ARGV[3] lease, ms
-- ARGV[4]  from    ARGV[5] to           ARGV[6] timestamp of the last record      (all three "" for a tick)
-- ARGV[7]  the script's plan, JSON
-- ARGV[8]  returned events, an entry of the stream, or ""
-- ARGV[9]  counts, JSON [[field, n], ...]
-- ARGV[10] seq, as the worker knows it, or "" where it has not claimed yet
--
-- Replies: {"OK", seq}, {"DUP", seq}, {"BEHIND", off}, {"LOST"}, {"ROLLEDBACK"}, {"FENCED"}, {"WRONGTYPE", key}.
-- Lua does not roll back: everything is checked before the first write, the position is written last.

local owner, generation, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function is(key, wanted)
  local found = redis.call('TYPE', key)
  found = found.ok or found
  return found == wanted or found == 'none'
end

local function build() return redis.call('HGET', KEYS[1], 'build') or '0' end

-- Take or keep ownership; false where another worker has the better right. The newer generation of the consumer
-- group wins. Only a claim may follow a higher generation, once its lease has run out: Kafka forgets the generation
-- of a group that was empty for long.
local function own(claiming)
  local lane = redis.call('HMGET', KEYS[1], 'owner', 'gen', 'lease')
  local now = clock()
  if lane[1] and lane[1] ~= owner and tonumber(lane[2]) >= generation then
    if not claiming or tonumber(lane[3]) > now then return false end
  end
  redis.call('HSET', KEYS[1], 'owner', owner, 'gen', ARGV[2], 'lease', string.format('%.0f', now + lease))
  return true
end

-- nil where the batch may be applied, else the reply.
local function fence(claiming)
  for key, kind in pairs({[KEYS[1]] = 'hash', [KEYS[2]] = 'stream', [KEYS[3]] = 'hash'}) do
    if not is(key, kind) then return {'WRONGTYPE', key} end
  end
  if not own(claiming) then return {'FENCED'} end
  local lane = redis.call('HMGET', KEYS[1], 'off', 'seq')
  local seq = lane[2] or '0'
  if ARGV[4] ~= '' then
    if not lane[1] then return {'LOST'} end
    local at, from, to = tonumber(lane[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
    if at ~= from then return at >= to and {'DUP', seq} or {'BEHIND', lane[1]} end
  end
  if ARGV[10] ~= '' and ARGV[10] ~= seq then return {'ROLLEDBACK'} end
  return nil
end

local function finish()
  if ARGV[8] ~= '' then redis.call('XADD', KEYS[2], '*', 'e', ARGV[8]) end
  for _, count in ipairs(cjson.decode(ARGV[9])) do redis.call('HINCRBY', KEYS[3], count[1], count[2]) end
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[1], 'off', ARGV[5], 'ts', ARGV[6], 'at', string.format('%.0f', clock()))
    local to = redis.call('HGET', KEYS[1], 'until')
    if to and tonumber(ARGV[5]) >= tonumber(to) then redis.call('HDEL', KEYS[1], 'until') end
  end
  return {'OK', string.format('%d', redis.call('HINCRBY', KEYS[1], 'seq', 1))}
end
