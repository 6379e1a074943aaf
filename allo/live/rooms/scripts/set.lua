-- ARGV: names and values, of a room that is there.
if redis.call('HGET', ROOM, 'state') then redis.call('HSET', ROOM, unpack(ARGV)) end
