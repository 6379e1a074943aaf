-- ARGV: the names of one visitor. Returns rank, number of places, and the room's end, of the place
-- that was kept under the first of them that has one, or false.
for _, visitor in ipairs(ARGV) do
  local rank = kept_rank(visitor)
  if rank then return {rank, redis.call('ZCARD', LINE), redis.call('HGET', ROOM, 'closed_at')} end
end
return false
