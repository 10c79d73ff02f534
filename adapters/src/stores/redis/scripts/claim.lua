-- Takes a place that belongs to one request only, if it has no pointer or the one that was found dead. Returns the
-- pointer that stands in the way, if one does.
local pointer, mine, dead = KEYS[1], ARGV[1], ARGV[2]
local kept = redis.call('GET', pointer) or ''
if kept ~= '' and kept ~= dead and kept ~= mine then return kept end
redis.call('SET', pointer, mine)
return ''
