-- Litter that whoever made it should have cleaned up by now. Redis counts the age, since it is the only clock that
-- all processes share.
local since = redis.call('TIME')[1] - tonumber(ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. since, 'LIMIT', 0, 128)
