-- ARGV: visitor, score and end of the ticket shown, which is negative if it was used; all ''
-- without one.
-- Returns 'none' (no open room), 'wait', 'in' or 'over'.
local visitor, score, ends = unpack(ARGV)
local state, opens_at = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at'))
if state ~= 'open' then return 'none' end
if visitor == '' then return 'wait' end
if ticket_ends(visitor) then return 'in' end
if is_over(visitor, score) then return 'over' end
-- Of an opening before this one, at which its visitor may have another place.
if math.abs(ends) < math.floor(opens_at) + TICKET then return 'wait' end
-- Not by this ticket, but by the place that its visitor has again.
if tonumber(ends) <= now and tonumber(redis.call('ZSCORE', DONE, visitor)) == NO_TURN then
  return 'wait'
end
-- Redis has lost the room since; the ticket contains its own end.
redis.call('ZADD', DONE, score, visitor)
redis.call('ZREM', LINE, visitor)
if tonumber(ends) <= now then return 'over' end
redis.call('ZADD', LET, ends, visitor)
return 'in'
