-- ARGV: channel, topic, visitor, score, units.
-- Ends the ticket, and takes its units from the supply.
local channel, topic, visitor, score, units = unpack(ARGV)
if not redis.call('HGET', ROOM, 'state') then return end
redis.call('ZREM', LET, visitor)
-- The ranks of places that are kept do not change.
if not keeps_places() then redis.call('ZREM', LINE, visitor) end
redis.call('ZADD', DONE, 'GT', score, visitor)
local left = redis.call('HINCRBY', ROOM, 'supply', -tonumber(units))
redis.call('HINCRBY', ROOM, 'held', units)
if left < 0 then redis.call('HSET', ROOM, 'supply', 0) end
tell(channel, topic, visitor .. ' %s')
