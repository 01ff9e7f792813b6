-- Read what the customer lane has to know of a batch.
-- KEYS[1]  <base>, as in customers.lua   KEYS[2]  <base>:lane, see Script in client.py
-- ARGV[1]  JSON [customer id, ...]   ARGV[2]  JSON [[n, field], ...] of its occasions
-- Reply: {contacts, seen}: a JSON text or false each; a day or false each
local base = KEYS[1]
local contacts, seen = {}, {}
for i, id in ipairs(cjson.decode(ARGV[1])) do contacts[i] = redis.call('HGET', base .. ':contacts', id) end
for i, entry in ipairs(cjson.decode(ARGV[2])) do
  seen[i] = redis.call('HGET', base .. ':seen:' .. entry[1], entry[2])
end
return {contacts, seen}
