-- Counts what the requester asked for within the window and takes a place under the cap; where there is none left,
-- says who has them. The score is the time: microseconds since the epoch, which a double holds exactly.
local pointers, mine, time = KEYS[1], ARGV[1], now(ARGV[2])
local after, most = string.format('(%.0f', time - ARGV[3]), tonumber(ARGV[4])
if redis.call('ZSCORE', pointers, mine) then return {} end
if redis.call('ZCOUNT', pointers, after, '+inf') < most then
  redis.call('ZADD', pointers, string.format('%.0f', time), mine)
  return {}
end
if most == 0 then return {''} end
return redis.call('ZRANGEBYSCORE', pointers, after, '+inf', 'LIMIT', 0, most)
