-- Forgets a request that closed before a time and has no task left; what pointed to it becomes litter.
local request, litter, litters, agenda, tasks, closed, meta = unpack(KEYS)
local id, before = ARGV[1], ARGV[2]
local closed_at = redis.call('HGET', request, 'closed')
if not closed_at or closed_at == '' or closed_at >= before then return {'kept'} end
if redis.call('EXISTS', tasks) == 1 then return {'kept'} end
local left = {}
for _, field in ipairs(redis.call('HKEYS', request)) do
  local place = field:match('^p:(.*)$')
  if place then left[#left + 1] = place .. ' ' .. redis.call('HGET', request, field) end
end
redis.call('DEL', request)
redis.call('ZREM', closed, closed_at .. ':' .. id)
if #left == 0 then return {'forgotten'} end
local time = redis.call('TIME')
local number = redis.call('HINCRBY', meta, 'plans', 1)
local name = time[1] .. '.' .. time[2] .. '.' .. number
redis.call('HSET', litter, name, 'void' .. cjson.encode(left))
redis.call('ZADD', litters, time[1], id .. ' ' .. name)
return {'forgotten', name, unpack(left)}
