-- Before each script. All keys of a room share a slot, so a script may use them all.
local ROOM, LINE, HERE, LET, DONE, NETS, REPORTS, PAGE = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

-- Lua's own conversion would round a score to 14 digits.
local function exact(number) return string.format('%.17g', number) end

local function tell(channel, topic, rest)
  local micros = time[1] .. string.format('%06d', time[2])
  redis.call('PUBLISH', channel, topic .. ' ' .. string.format(rest, micros))
end

-- Whoever was let in once does not come back by the same place.
local function is_over(visitor, score)
  local served = redis.call('ZSCORE', DONE, visitor)
  return served and tonumber(score) <= tonumber(served)
end

local function ticket_ends(visitor)
  local ends = tonumber(redis.call('ZSCORE', LET, visitor) or 0)
  return ends > now and ends
end
