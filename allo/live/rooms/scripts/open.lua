-- ARGV: channel, topic, opens_at, back, page; life, whether to leave a room that is there as it is,
-- and the units free and held, and the rate, of one that is not.
local channel, topic, opens_at, back, page, life, only_if_lost, free, held, rate = unpack(ARGV)
local state, before = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at'))
if state and only_if_lost == '1' then return end

if not state then
  -- Perhaps Redis lost it: nobody is let in until all places have been reported again.
  local rests_until = now + 5 > tonumber(opens_at) and now + 5 or 0
  redis.call('HSET', ROOM, 'life', life, 'rests_until', exact(rests_until))
  redis.call('HSET', ROOM, 'supply', free, 'held', held, 'rate', rate)
end
local moved = before and tonumber(before) ~= tonumber(opens_at)
if moved then redis.call('HSET', ROOM, 'moved_from', before) end
if state ~= 'open' then redis.call('HSET', ROOM, 'opened_at', exact(now), 'passing', '') end
redis.call('HSET', ROOM, 'state', 'open', 'opens_at', opens_at, 'back', back)
redis.call('HSET', ROOM, 'version', redis.sha1hex(page))
redis.call('SET', PAGE, page)
for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
if moved or state == 'closed' then tell(channel, topic, 'page %s') end
