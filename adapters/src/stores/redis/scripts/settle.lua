-- Forgets a task, or gives it back until the time in ARGV[5]; a lease counts until somebody else gets the task.
local agenda, tasks, id, row, at = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[5]
local worker, lease = ARGV[3], tonumber(ARGV[4])
local value = redis.call('HGET', tasks, row)
if not value then return 0 end
local todo = cjson.decode(value)
if todo[3] ~= lease or todo[4] ~= worker then return 0 end
redis.call('ZREM', agenda, todo[1] .. ':' .. id .. ':' .. row)
if at == '' then
  redis.call('HDEL', tasks, row)
else
  todo[1], todo[2], todo[4] = at, at, ''
  redis.call('HSET', tasks, row, cjson.encode(todo))
  redis.call('ZADD', agenda, 0, at .. ':' .. id .. ':' .. row)
end
return 1
