-- The beginning of each script. All keys of a room share a slot of a Redis cluster.
local ROOM, LINE, HERE, LET, DONE, NETS, REPORTS, PAGE, DRAWN = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local ABSENT, KEPT, TICKET = 45, 1800, 120
-- Instead of a score, below all of them: of a visitor whose turn was none.
local NO_TURN = -1

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

-- Those whose tickets end between these moments had a turn in which there was nothing to take, and
-- get their former place back.
local function give_places_back(from, to)
  for _, visitor in ipairs(redis.call('ZRANGE', LET, from, to, 'BYSCORE')) do
    redis.call('ZADD', LINE, redis.call('ZSCORE', DONE, visitor), visitor)
    redis.call('ZADD', HERE, exact(now), visitor)
    redis.call('ZADD', DONE, NO_TURN, visitor)
  end
end

-- At least 0, below 1.
local function fraction(text) return tonumber(redis.sha1hex(text):sub(1, 12), 16) / 16 ^ 12 end

-- What the last new drawing is called; '' without one.
local function current_draw() return redis.call('HGET', ROOM, 'draw') or '' end

-- By which score a visitor who left comes back, or false. A place of an earlier drawing is worth
-- what its visitor drew at the new one. Without a drawing each place counts: perhaps Redis lost it.
local function former_score(visitor, score, draw)
  local current = current_draw()
  if score ~= '' and (current == '' or draw == current) then return score end
  return redis.call('ZSCORE', DRAWN, visitor)
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
