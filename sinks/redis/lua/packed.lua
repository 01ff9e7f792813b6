local sub = string.sub
-- Texts that come as one argument, cut by their lengths: a client takes longer over a thousand arguments than over one.
local function unpacked(lengths, blob)
  local texts, at = {}, 1
  for i, length in ipairs(lengths) do
    texts[i] = sub(blob, at, at + length - 1)
    at = at + length
  end
  return texts
end
-- Where occasions were seen: n of the hash (4 hex digits) and field (11).
local PLACE, CHUNK = 15, 1000  -- of arguments at a time: Lua's stack is small
local function place(prefix, places, at) return prefix .. sub(places, at, at + 3), sub(places, at + 4, at + 14) end
