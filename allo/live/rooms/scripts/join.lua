-- ARGV: visitor, score and drawing of the place shown or '', lot, places of a network in each tier;
-- then the network, and those around it, each with how many times as many places it has.
-- Returns score and drawing of the place, or false without an open room.
local visitor, shown, shown_draw, lot, places = unpack(ARGV)
local state, opens_at = unpack(redis.call('HMGET', ROOM, 'state', 'opens_at'))
if state ~= 'open' then return false end
local draw = current_draw()
if ticket_ends(visitor) then return {redis.call('ZSCORE', DONE, visitor), draw} end

-- Mixed with a new drawing, so that a visitor who was lucky is not so again.
local function chance() return draw == '' and tonumber(lot) or fraction(lot .. draw) end

-- After its first few places, a network's next ones come behind everybody's first ones.
local function next_tier()
  local tier = 0
  for i = 6, #ARGV, 2 do
    local before = redis.call('HINCRBY', NETS, ARGV[i], 1) - 1
    tier = math.max(tier, math.floor(before / (places * ARGV[i + 1])))
  end
  return tier
end

if not redis.call('ZSCORE', LINE, visitor) then
  local score, former = exact(now), former_score(visitor, shown, shown_draw)
  if former and not is_over(visitor, former) then
    score = former
  elseif now < tonumber(opens_at) then
    score = exact(next_tier() + chance())
  end
  redis.call('ZADD', LINE, score, visitor)
end
redis.call('ZADD', HERE, exact(now), visitor)
return {redis.call('ZSCORE', LINE, visitor), draw}
