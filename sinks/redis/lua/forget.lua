-- Tick of the customer lane that has nothing to settle: keep the lease, and forget occasions seen long ago.
-- KEYS[4]  <base>, as in customers.lua   plan: as in sweep.lua
local stop = fence()
if stop then return stop end
sweep(KEYS[4] .. ':seen', cjson.decode(ARGV[7]), tonumber)
return finish()
