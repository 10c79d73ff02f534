-- Opens or changes a request, all or nothing; plans first where it would hold places that it does not hold yet.
local request, litter, litters, agenda, tasks, closed, meta = unpack(KEYS)
local id, expected, version, plan, stamp = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local value, planned_at, closed_at, fresh = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local head_number, head, places, rows = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local channel, delivery, is_ahead, ledger = ARGV[14], ARGV[15], ARGV[16] == '1', ARGV[17]

local time = redis.call('TIME')[1]
local wanted = cjson.decode(places)

local function note(name, state, entries)
  redis.call('HSET', litter, name, state .. cjson.encode(entries))
  redis.call('ZADD', litters, time, id .. ' ' .. name)
end

local function plan_for(missing, state)
  local planned = {}
  for i, place in ipairs(missing) do planned[i] = place .. ' ' .. stamp end
  note(stamp, state, planned)
end

-- Pointers that were sent along with the planning are litter then.
local function refuse(why)
  if is_ahead then plan_for(wanted, 'void') end
  return {why}
end

local fields, keeps = {'version', 'stamp', 'closed'}, {}
for i, place in ipairs(wanted) do
  fields[3 + i] = 'p:' .. place
  keeps[place] = true
end
local kept = redis.call('HMGET', request, unpack(fields))
-- The answer to this very write was lost, and it is asked again.
if kept[2] == stamp then return {'done'} end
local missing = {}
for i, place in ipairs(wanted) do
  if not kept[3 + i] then
    missing[#missing + 1] = place
  elseif place == delivery then
    return refuse('seen')
  end
end
if (kept[1] or '0') ~= expected then return refuse('conflict') end

local changes = {'version', version, 'value', value, 'stamp', stamp, 'closed', closed_at}
if plan == '' then
  if #missing > 0 then
    plan_for(missing, 'live')
    return {'plan', time, unpack(missing)}
  end
else
  local planned = redis.call('HGET', litter, plan)
  if not planned or planned:sub(1, 4) ~= 'live' then return {'void'} end
  if redis.call('ZSCORE', litters, id .. ' ' .. plan) ~= planned_at then return {'void'} end
  -- The version is the one that was planned for, so what was missing then is what is missing now.
  for _, place in ipairs(missing) do
    changes[#changes + 1] = 'p:' .. place
    changes[#changes + 1] = plan
  end
  redis.call('HDEL', litter, plan)
  redis.call('ZREM', litters, id .. ' ' .. plan)
end

-- What the request must keep until it is forgotten, whatever becomes of it: its deliveries and its place under the cap.
local left = {}
for _, field in ipairs(kept[1] and redis.call('HKEYS', request) or {}) do
  local place = field:match('^p:(.*)$')
  if place and not keeps[place] and not place:find('^delivery:') and not place:find('^asked:') then
    left[#left + 1] = place .. ' ' .. redis.call('HGET', request, field)
    redis.call('HDEL', request, field)
  end
end

redis.call('HSET', request, unpack(changes))
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
local name = stamp .. ':left'
note(name, 'void', left)
return {'done', name, unpack(left)}
