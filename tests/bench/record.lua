-- What one script of a small bot does: keeps a request once.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'seen' end
redis.call('HSET', KEYS[1], 'version', 1, 'value', ARGV[1])
return 'done'
