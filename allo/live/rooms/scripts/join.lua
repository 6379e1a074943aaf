-- ARGV: visitor, score and drawing of the place shown or '', network, lot, places of a network in
-- each tier. Returns score and drawing of the place, or false without an open room.
local visitor, shown, shown_draw, network, lot, places = unpack(ARGV)
local state, opens_at = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at'))
if state ~= 'open' then return false end
local draw = current_draw()
if ticket_ends(visitor) then return {redis.call('ZSCORE', DONE, visitor), draw} end

-- Mixed with a new drawing, so that a visitor who was lucky is not so again.
local function chance() return draw == '' and tonumber(lot) or fraction(lot .. draw) end

if not redis.call('ZSCORE', LINE, visitor) then
  local score, former = exact(now), former_score(visitor, shown, shown_draw)
  if former and not is_over(visitor, former) then
    score = former
  elseif now < tonumber(opens_at) then
    -- After its first few places, a network's next ones come behind everybody's first ones.
    local before = redis.call('HINCRBY', NETS, network, 1) - 1
    score = exact(math.floor(before / tonumber(places)) + chance())
  end
  redis.call('ZADD', LINE, score, visitor)
end
redis.call('ZADD', HERE, exact(now), visitor)
return {redis.call('ZSCORE', LINE, visitor), draw}
