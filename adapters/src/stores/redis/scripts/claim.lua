-- Takes a place that belongs to one request only, if its pointer is the one that was found dead.
local pointer, mine, dead = KEYS[1], ARGV[1], ARGV[2]
local kept = redis.call('GET', pointer) or ''
if kept == mine then return '' end
if kept ~= dead then return kept end
redis.call('SET', pointer, mine)
return ''
