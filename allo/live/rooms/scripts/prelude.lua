-- The beginning of each script. All keys of a room share a slot of a Redis cluster.
local ROOM, LINE, HERE, LET, DONE, NETS, REPORTS, PAGE = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local ABSENT, KEPT = 45, 1800

-- Lua's own conversion would round a score to 14 digits.
local function exact(number) return string.format('%.17g', number) end

local function tell(channel, topic, rest)
  local micros = time[1] .. string.format('%06d', time[2])
  redis.call('PUBLISH', channel, topic .. ' ' .. string.format(rest, micros))
end

-- Whether the visitor was already let in by this place.
local function is_over(visitor, score)
  local served = redis.call('ZSCORE', DONE, visitor)
  return served and tonumber(score) <= tonumber(served)
end

local function ticket_ends(visitor)
  local ends = tonumber(redis.call('ZSCORE', LET, visitor) or 0)
  return ends > now and ends
end

-- A thousand at the most; returns how many.
local function forget_the_absent()
  local gone = redis.call('ZRANGE', HERE, '-inf', exact(now - ABSENT), 'BYSCORE', 'LIMIT', 0, 1000)
  for _, visitor in ipairs(gone) do
    redis.call('ZREM', LINE, visitor)
    redis.call('ZREM', HERE, visitor)
  end
  return #gone
end

-- Whether it is closed and those who were there keep their places, which do not change any more.
local function keeps_places()
  local state, closed_at, ended_at = unpack(redis.call('HMGET', ROOM, 'state', 'closed_at', 'ended_at'))
  return state == 'closed' and closed_at ~= '' and ended_at and now - ended_at < KEPT
end

-- Its rank and score; none for a visitor whose use of a ticket was reported after the end.
local function kept_rank(visitor)
  local score = keeps_places() and redis.call('ZSCORE', LINE, visitor)
  return score and not is_over(visitor, score) and redis.call('ZRANK', LINE, visitor), score
end
