-- ARGV: visitor and score of each place whose page is open.
-- Returns for each what became of it, or false if the room is not known.
local state = redis.call('HGET', ROOM, 'state')
if not state then return false end

local function found(visitor, score)
  local ends = ticket_ends(visitor)
  if ends then return 'in ' .. redis.call('ZSCORE', DONE, visitor) .. ' ' .. ends end
  if state ~= 'open' then
    local rank, kept = kept_rank(visitor)
    return rank and 'kept ' .. kept .. ' ' .. rank or 'closed'
  end
  if not redis.call('ZSCORE', LINE, visitor) then
    if is_over(visitor, score) then return 'over' end
    redis.call('ZADD', LINE, score, visitor)
  end
  redis.call('ZADD', HERE, exact(now), visitor)
  local rank = redis.call('ZRANK', LINE, visitor)
  return 'waiting ' .. redis.call('ZSCORE', LINE, visitor) .. ' ' .. rank
end

local all = {}
for i = 1, #ARGV, 2 do all[#all + 1] = found(ARGV[i], ARGV[i + 1]) end
return all
