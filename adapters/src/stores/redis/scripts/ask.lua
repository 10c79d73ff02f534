-- Counts what the requester asked for within the window and takes a place under the cap; where there is none left,
-- says who has them.
local pointers, mine, from, most = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('ZSCORE', pointers, mine) then return {} end
if redis.call('ZLEXCOUNT', pointers, from, '+') < most then
  redis.call('ZADD', pointers, 0, mine)
  return {}
end
if most == 0 then return {''} end
return redis.call('ZRANGEBYLEX', pointers, from, '+', 'LIMIT', 0, most)
