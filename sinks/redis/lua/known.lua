-- Read what the customer lane has to know of a batch. Appended to packed.lua.
-- KEYS[1]  <base>, as in customers.lua   KEYS[2]  <base>:lane, see Script in client.py
-- ARGV[1]  JSON: lengths of the customers' ids   ARGV[2]  the ids   ARGV[3]  places of the occasions
-- Reply: {contacts, seen}: a JSON text or false each; a day or false each
local ids = unpacked(cjson.decode(ARGV[1]), ARGV[2])
local contacts, seen = {}, {}
for from = 1, #ids, CHUNK do
  local found = redis.call('HMGET', KEYS[1] .. ':contacts', unpack(ids, from, math.min(from + CHUNK - 1, #ids)))
  for i = 1, #found do contacts[#contacts + 1] = found[i] end
end
for at = 1, #ARGV[3], PLACE do seen[#seen + 1] = redis.call('HGET', place(KEYS[1] .. ':seen:', ARGV[3], at)) end
return {contacts, seen}
