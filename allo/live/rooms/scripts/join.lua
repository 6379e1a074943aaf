-- ARGV: visitor, score of the place shown or '', network, lot, places of a network in each tier.
-- Returns the score of the place, or false without an open room.
local visitor, shown, network, lot, places = unpack(ARGV)
local state, opens_at = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at'))
if state ~= 'open' then return false end
if ticket_ends(visitor) then return redis.call('ZSCORE', DONE, visitor) end

if not redis.call('ZSCORE', LINE, visitor) then
  local score = exact(now)
  if shown ~= '' and not is_over(visitor, shown) then
    score = shown
  elseif now < tonumber(opens_at) then
    -- After its first few places, a network's next ones come behind everybody's first ones.
    local before = redis.call('HINCRBY', NETS, network, 1) - 1
    score = exact(math.floor(before / tonumber(places)) + tonumber(lot))
  end
  redis.call('ZADD', LINE, score, visitor)
end
redis.call('ZADD', HERE, exact(now), visitor)
return redis.call('ZSCORE', LINE, visitor)
