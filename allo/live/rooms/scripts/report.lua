-- ARGV: process, p95 in ms, busy share.
if redis.call('HGET', ROOM, 'state') == 'open' then
  redis.call('HSET', REPORTS, ARGV[1], exact(now) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
end
