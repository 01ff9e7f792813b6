-- Read what the customer lane has to know of a batch. Appended to packed.lua.
-- KEYS[1]  <base>, as in customers.lua   KEYS[2]  <base>:lane, see Script in client.py
-- ARGV[1]  JSON: lengths of the customers' ids   ARGV[2]  the ids   ARGV[3]  places of the occasions
-- ARGV[4]  JSON: where sets of invitations sent off stand, and where counts of draws, under the base
-- Reply: {contacts, seen, sent, draws}: a JSON text or false each; the numbers (from 0) of the occasions that were
-- seen; the sizes of the sets; the hashes
local ids = unpacked(cjson.decode(ARGV[1]), ARGV[2])
local contacts, seen = {}, {}
for from = 1, #ids, CHUNK do
  local found = redis.call('HMGET', KEYS[1] .. ':contacts', unpack(ids, from, math.min(from + CHUNK - 1, #ids)))
  for i = 1, #found do contacts[#contacts + 1] = found[i] end
end
local call, places, prefix = redis.call, ARGV[3], KEYS[1] .. ':seen:'
for at = 1, #places, PLACE do
  if call('HEXISTS', place(prefix, places, at)) == 1 then seen[#seen + 1] = (at - 1) / PLACE end
end
local counted, sent, draws = cjson.decode(ARGV[4]), {}, {}
for i, key in ipairs(counted[1]) do sent[i] = call('SCARD', KEYS[1] .. key) end
for i, key in ipairs(counted[2]) do draws[i] = call('HGETALL', KEYS[1] .. key) end
return {contacts, seen, sent, draws}
