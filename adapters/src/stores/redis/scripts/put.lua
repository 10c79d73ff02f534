-- Opens or changes a request, all or nothing; plans first where it would hold places that it does not hold yet.
local request, litter, litters, agenda, tasks, closed, meta = unpack(KEYS)
local id, expected, version, plan, stamp = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local value, opened, closed_at, fresh = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local head_number, head, places, rows = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local channel, delivery, ledger = ARGV[14], ARGV[15], ARGV[16]

local kept = redis.call('HMGET', request, 'version', 'stamp', 'closed')
-- The answer to this very write was lost, and it is asked again.
if kept[2] == stamp then return {'done'} end
if delivery ~= '' and redis.call('HEXISTS', request, 'p:' .. delivery) == 1 then return {'seen'} end
if (kept[1] or '0') ~= expected then return {'conflict'} end

local wanted = {}
for _, place in ipairs(cjson.decode(places)) do wanted[place] = true end
local time = redis.call('TIME')

if plan == '' then
  local missing = {}
  for place in pairs(wanted) do
    if redis.call('HEXISTS', request, 'p:' .. place) == 0 then missing[#missing + 1] = place end
  end
  if #missing > 0 then
    local number = redis.call('HINCRBY', meta, 'plans', 1)
    plan = time[1] .. '.' .. time[2] .. '.' .. number
    local planned = {}
    for i, place in ipairs(missing) do planned[i] = place .. ' ' .. plan end
    redis.call('HSET', litter, plan, 'live' .. cjson.encode(planned))
    redis.call('ZADD', litters, time[1], id .. ' ' .. plan)
    return {'plan', plan, unpack(missing)}
  end
else
  local planned = redis.call('HGET', litter, plan)
  if not planned or planned:sub(1, 4) ~= 'live' then return {'void'} end
  -- The version is the one that was planned for, so what was missing then is what is missing now.
  for _, entry in ipairs(cjson.decode(planned:sub(5))) do
    redis.call('HSET', request, 'p:' .. entry:match('^(%S+) '), plan)
  end
  redis.call('HDEL', litter, plan)
  redis.call('ZREM', litters, id .. ' ' .. plan)
end

-- What the request must keep until it is forgotten, whatever becomes of it: its deliveries and its place under the cap.
local left = {}
for _, field in ipairs(redis.call('HKEYS', request)) do
  local place = field:match('^p:(.*)$')
  if place and not wanted[place] and not place:find('^delivery:') and not place:find('^asked:') then
    left[#left + 1] = place .. ' ' .. redis.call('HGET', request, field)
    redis.call('HDEL', request, field)
  end
end

redis.call('HSET', request, 'version', version, 'value', value, 'stamp', stamp, 'closed', closed_at)
if opened ~= '' then redis.call('HSET', request, 'opened', opened) end
if fresh == '1' then redis.call('HDEL', request, 'tries', 'tried') end
if kept[3] and kept[3] ~= '' then redis.call('ZREM', closed, kept[3] .. ':' .. id) end
if closed_at ~= '' then redis.call('ZADD', closed, 0, closed_at .. ':' .. id) end

rows = cjson.decode(rows)
for _, row in ipairs(rows) do
  redis.call('HSET', tasks, row[1], row[3])
  redis.call('ZADD', agenda, 0, row[2] .. ':' .. id .. ':' .. row[1])
end

-- Commits may arrive in another order than their records were written.
if head_number > (redis.call('HGET', meta, 'head_number:' .. ledger) or '') then
  redis.call('HSET', meta, 'head_number:' .. ledger, head_number, 'head:' .. ledger, head)
end

if #rows > 0 then redis.call('PUBLISH', channel, '') end
if #left == 0 then return {'done'} end
local number = redis.call('HINCRBY', meta, 'plans', 1)
local name = time[1] .. '.' .. time[2] .. '.' .. number
redis.call('HSET', litter, name, 'void' .. cjson.encode(left))
redis.call('ZADD', litters, time[1], id .. ' ' .. name)
return {'done', name, unpack(left)}
