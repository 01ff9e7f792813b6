-- Forget what arrived before a day, in some of an index's small hashes at a time. Appended to fence.lua.
-- plan: {before: day, sweep: n, hashes: m}: n of the m hashes; `day_of` reads an entry's day of arrival.
local function sweep(prefix, plan, day_of)
  local swept = tonumber(redis.call('HGET', KEYS[1], 'swept') or 0)
  for n = swept, swept + plan.sweep - 1 do
    local key = string.format('%s:%04x', prefix, n)
    local entries = redis.call('HGETALL', key)
    for i = 1, #entries, 2 do
      if day_of(entries[i + 1]) < plan.before then redis.call('HDEL', key, entries[i]) end
    end
  end
  redis.call('HSET', KEYS[1], 'swept', string.format('%d', (swept + plan.sweep) % plan.hashes))
end
