-- ARGV: visitor, score and drawing of each place whose page is open.
-- Returns for each what became of it, or false if the room is not known.
local state, passing = unpack(redis.call('HMGET', ROOM, 'state', 'passing'))
if not state then return false end

local function closed(visitor)
  -- A visitor who stays is there when it opens again.
  if passing == '1' and redis.call('ZSCORE', LINE, visitor) then
    redis.call('ZADD', HERE, exact(now), visitor)
  end
  local rank, kept = kept_rank(visitor)
  return rank and 'kept ' .. kept .. ' ' .. rank or 'closed'
end

local function found(visitor, shown, draw)
  local ends = ticket_ends(visitor)
  if ends then return 'in ' .. redis.call('ZSCORE', DONE, visitor) .. ' ' .. ends end
  if state ~= 'open' then return closed(visitor) end
  if not redis.call('ZSCORE', LINE, visitor) then
    local score = former_score(visitor, shown, draw)
    if not score or is_over(visitor, score) then return 'over' end
    redis.call('ZADD', LINE, score, visitor)
  end
  redis.call('ZADD', HERE, exact(now), visitor)
  local rank = redis.call('ZRANK', LINE, visitor)
  return 'waiting ' .. redis.call('ZSCORE', LINE, visitor) .. ' ' .. rank
end

local all = {}
for i = 1, #ARGV, 3 do all[#all + 1] = found(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return all
