-- Removes a pointer, and nobody else's.
local pointer, mine = KEYS[1], ARGV[1]
if ARGV[2] == 'claim' then
  if redis.call('GET', pointer) == mine then redis.call('DEL', pointer) end
else
  redis.call('ZREM', pointer, mine)
end
return 1
