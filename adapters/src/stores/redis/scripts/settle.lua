-- Forgets a task, or gives it back until the time in ARGV[3].
local agenda, tasks, id, row, at = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local value = redis.call('HGET', tasks, row)
if not value then return 0 end
local todo = cjson.decode(value)
redis.call('ZREM', agenda, todo[1] .. ':' .. id .. ':' .. row)
if at == '' then
  redis.call('HDEL', tasks, row)
else
  todo[1], todo[2], todo[3], todo[4] = at, at, 0, ''
  redis.call('HSET', tasks, row, cjson.encode(todo))
  redis.call('ZADD', agenda, 0, at .. ':' .. id .. ':' .. row)
end
return 1
