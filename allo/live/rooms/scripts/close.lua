-- ARGV: channel, topic, words, for how many seconds the page is kept, '1' if it may open again; the
-- moment of the closing if places are to be kept, else '', and the address where they can be used.
local channel, topic, words, shown, passing, closed_at, onward = unpack(ARGV)
local state, passed = unpack(redis.call('HMGET', ROOM, 'state', 'passing'))
-- One that might have opened again can still close for good.
local ends = state == 'open' or (state and passed == '1' and passing ~= '1')
if not ends then return end
redis.call('HSET', ROOM, 'state', 'closed', 'words', words, 'closed_at', closed_at, 'onward', onward)
redis.call('HSET', ROOM, 'ended_at', exact(now), 'passing', passing)

while forget_the_absent() > 0 do end
-- Tickets cannot be used any more.
give_places_back('(' .. exact(now), '+inf')
redis.call('DEL', LET, REPORTS)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, shown) end
tell(channel, topic, 'page %s')
