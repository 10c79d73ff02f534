-- Makes a plan void, so that its commit can never succeed, and says what it planned.
local litter = KEYS[1]
local planned = redis.call('HGET', litter, ARGV[1])
if not planned then return {} end
if planned:sub(1, 4) == 'live' then redis.call('HSET', litter, ARGV[1], 'void' .. planned:sub(5)) end
return cjson.decode(planned:sub(5))
