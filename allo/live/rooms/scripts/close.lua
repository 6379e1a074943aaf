-- ARGV: channel, topic, words, for how many seconds the page still says them.
local channel, topic, words, kept = unpack(ARGV)
if redis.call('HGET', ROOM, 'state') ~= 'open' then return end
redis.call('HSET', ROOM, 'state', 'closed', 'words', words)
redis.call('DEL', LET, REPORTS)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, kept) end
tell(channel, topic, 'page %s')
