-- Read what the customer lane has to know of a batch.
-- KEYS[1]  <base>, as in customers.lua   KEYS[2]  <base>:lane, see Script in client.py
-- ARGV[1]  how many customers; then their ids; then two for each occasion: n of its hash, field
-- Reply: {contacts, seen}: a JSON text or false each; a day or false each
local CHUNK = 1000  -- Lua's stack is small
local contacts, seen = {}, {}
local last = 1 + tonumber(ARGV[1])
for from = 2, last, CHUNK do
  local found = redis.call('HMGET', KEYS[1] .. ':contacts', unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  for i = 1, #found do contacts[#contacts + 1] = found[i] end
end
local prefix = KEYS[1] .. ':seen:'
for at = last + 1, #ARGV, 2 do seen[#seen + 1] = redis.call('HGET', prefix .. ARGV[at], ARGV[at + 1]) end
return {contacts, seen}
