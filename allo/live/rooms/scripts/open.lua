-- ARGV: channel, topic, opens_at, back, page; something random, whether to leave a room that is
-- there as it is, and the units free and held, and the rate, of one that is not.
local channel, topic, opens_at, back, page, random, only_if_lost, free, held, rate = unpack(ARGV)
local state, before, passing = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at', 'passing'))
if state and only_if_lost == '1' then return end

-- Also those whose ticket ends by this. Each comes back by its new lot, whatever place it shows.
local function draw_line_anew()
  for _, visitor in ipairs(redis.call('ZRANGE', LET, '(' .. exact(now), '+inf', 'BYSCORE')) do
    redis.call('ZADD', LINE, 0, visitor)
    redis.call('ZADD', HERE, exact(now), visitor)
  end
  for _, visitor in ipairs(redis.call('ZRANGE', LINE, 0, -1)) do
    redis.call('ZADD', LINE, exact(fraction(random .. visitor)), visitor)
  end
  redis.call('ZUNIONSTORE', DRAWN, 1, LINE)
end

-- A second opening owes nothing to the first one: those who had a turn, came late or know a good lot
-- are as everybody else. Of a room that closed for good nobody waits any more.
local function draw_anew()
  redis.call('DEL', DRAWN)
  if state == 'open' or passing == '1' then draw_line_anew() else redis.call('DEL', LINE, HERE) end
  redis.call('DEL', DONE, NETS, LET)
  redis.call('HDEL', ROOM, 'moved_from', 'let_in', 'pace', 'tokens')
  redis.call('HSET', ROOM, 'draw', random)
end

if not state then
  -- Perhaps Redis lost it: nobody is let in until all places have been reported again.
  local rests_until = now + 5 > tonumber(opens_at) and now + 5 or 0
  redis.call('HSET', ROOM, 'life', random, 'rests_until', exact(rests_until))
  redis.call('HSET', ROOM, 'supply', free, 'held', held, 'rate', rate)
end
local moved = before and tonumber(before) ~= tonumber(opens_at)
if moved and tonumber(before) > now then
  redis.call('HSET', ROOM, 'moved_from', before)
elseif moved and tonumber(opens_at) > now then
  draw_anew()
end
if state ~= 'open' then redis.call('HSET', ROOM, 'opened_at', exact(now), 'passing', '') end
redis.call('HSET', ROOM, 'state', 'open', 'opens_at', opens_at, 'back', back)
redis.call('HSET', ROOM, 'version', redis.sha1hex(page))
redis.call('SET', PAGE, page)
for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
if moved or state == 'closed' then tell(channel, topic, 'page %s') end
