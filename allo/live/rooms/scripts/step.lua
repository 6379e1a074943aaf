-- ARGV: channel, topic, whether to act. Returns the room's numbers, or false without a room.
local channel, topic, act = unpack(ARGV)
local STEP, REPORT = 0.2, 3
local SLOWEST, FASTEST = 2, 200
local room = {}
local fields = redis.call('HGETALL', ROOM)
for i = 1, #fields, 2 do room[fields[i]] = fields[i + 1] end
if not room.state then return false end

local function number(name) return tonumber(room[name] or 0) end
local is_open = room.state == 'open' and now >= number('opens_at')
local phase = room.state == 'closed' and 'closed' or is_open and 'open' or 'early'
local rate, pace = math.max(number('rate'), SLOWEST), number('pace')
local since = now - number('stepped_at')
-- A negative time means that the clock was set back, which must not stop the room.
local passed = (since < 0 or since > 1) and 1 or since

-- The highest load that a process of the shop reports; nil without any report.
local function pressure()
  local slowest, busiest
  local reports = redis.call('HGETALL', REPORTS)
  for i = 1, #reports, 2 do
    local at, ms, busy = reports[i + 1]:match('(%S+) (%S+) (%S+)')
    if math.abs(now - at) > REPORT then
      redis.call('HDEL', REPORTS, reports[i])
    else
      slowest = math.max(slowest or 0, tonumber(ms))
      busiest = math.max(busiest or 0, tonumber(busy))
    end
  end
  return slowest, busiest
end

local function next_rate()
  local ms, busy = pressure()
  if not ms then return SLOWEST end
  local factor = 1
  if ms > 500 or busy > 0.9 then
    factor = 0.7
  elseif ms < 200 and busy < 0.7 then
    factor = 1.05
  end
  return math.max(SLOWEST, math.min(FASTEST, rate * factor ^ passed))
end

-- A fifth more than there are units, since not everybody with a ticket buys.
local function room_for()
  return math.ceil(number('supply') * 6 / 5) - redis.call('ZCARD', LET)
end

local function let_in(tokens)
  local n = math.min(math.floor(tokens), room_for())
  if n < 1 then return 0 end
  local first = redis.call('ZPOPMIN', LINE, n)
  local ends = math.floor(now) + TICKET
  for i = 1, #first, 2 do
    redis.call('ZADD', LET, ends, first[i])
    redis.call('ZADD', DONE, first[i + 1], first[i])
    redis.call('ZREM', HERE, first[i])
  end
  return #first / 2
end

local function next_score()
  return redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')[2] or 'inf'
end

-- Some ranks with their scores, denser at the head of the line. Each page finds its place by them.
local function marks(waiting)
  local found, rank = {}, 0
  while rank < waiting do
    local score = redis.call('ZRANGE', LINE, rank, rank, 'WITHSCORES')[2]
    found[#found + 1] = rank .. ':' .. score
    rank = rank == waiting - 1 and waiting
      or math.min(waiting - 1, math.max(rank + 1, math.floor(rank * 1.4)))
  end
  return table.concat(found, ' ')
end

-- At once when somebody is let in or the numbers of units change, else once a second at most.
local function tell_pages()
  local waiting = redis.call('ZCARD', LINE)
  local brief = table.concat({phase, number('supply'), number('held'), is_open and next_score() or '-'}, ' ')
  local silent = now - number('told_at')
  local is_news = brief ~= room.told or (silent >= 1 and waiting ~= number('told_waiting'))
  if not is_news and silent >= 0 and silent < 10 then return end
  redis.call('HSET', ROOM, 'told', brief, 'told_waiting', waiting, 'told_at', exact(now))
  local rest = string.format('%s %d %.3f %s', brief, waiting, pace, is_open and marks(waiting) or '')
  tell(channel, topic, 'room %s ' .. rest)
end

if act == '1' and room.state == 'open' and (since >= STEP or since < 0) then
  if number('supply') < 1 then give_places_back('-inf', exact(now)) end
  redis.call('ZREMRANGEBYSCORE', LET, '-inf', exact(now))
  forget_the_absent()
  rate = next_rate()
  local tokens = math.min(rate, number('tokens') + rate * passed)
  if is_open and now >= number('rests_until') then
    if not room.pace then pace = rate end
    local taken = let_in(tokens)
    tokens = tokens - taken
    if taken > 0 or redis.call('ZCARD', LINE) > 0 then
      pace = pace + (taken / passed - pace) * (1 - math.exp(-passed / 30))
    end
    redis.call('HSET', ROOM, 'pace', exact(pace))
    redis.call('HINCRBY', ROOM, 'let_in', taken)
  end
  redis.call('HSET', ROOM, 'rate', exact(rate), 'tokens', exact(tokens), 'stepped_at', exact(now))
  tell_pages()
end

return {
  phase, exact(now), room.life, room.opens_at, room.opened_at or 0, room.moved_from or '',
  room.version, room.back, room.words or '', room.passing or '',
  keeps_places() and room.onward or '',
  room.supply, room.held, exact(rate), exact(pace), redis.call('ZCARD', LINE),
  redis.call('ZCOUNT', LET, '(' .. exact(now), '+inf'), redis.call('HGET', ROOM, 'let_in') or 0,
}
