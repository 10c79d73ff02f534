-- Counts a try at a PIN before it is checked.
local request, place, plan = KEYS[1], ARGV[1], ARGV[2]
local time, lease, most = now(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local kept = redis.call('HMGET', request, 'p:' .. place, 'tries', 'tried')
if kept[1] ~= plan then return 'unknown' end
local tries = tonumber(kept[2] or '0')
if tries < most then
  redis.call('HSET', request, 'tries', tries + 1, 'tried', digits(time))
  return 'counted'
end
if kept[3] <= digits(time - lease) then return 'exhausted' end
return 'busy'
