-- What stands behind a pointer: 'held', 'pending' or 'dead'. Dead is for ever.
local request, litter, litters = unpack(KEYS)
local id, place, plan, patience = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('HGET', request, 'p:' .. place) == plan then return 'held' end
local planned = redis.call('HGET', litter, plan)
if not planned or planned:sub(1, 4) ~= 'live' then return 'dead' end
local since = redis.call('ZSCORE', litters, id .. ' ' .. plan)
if since and redis.call('TIME')[1] - since < tonumber(patience) then return 'pending' end
redis.call('HSET', litter, plan, 'void' .. planned:sub(5))
return 'dead'
