-- A tick that changes nothing but the lease; unlike a claim it never takes a partition from another worker.
local stop = fence()
return stop or {'OK', ARGV[10]}
