-- Leases rows of one shard that were seen to be due, where nobody else did so since.
local agenda, wakes, worker = KEYS[1], ARGV[1], ARGV[2]
local leased = {}
for n = 2, #KEYS do
  local at = 3 + (n - 2) * 3
  local seen, id, row = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if redis.call('ZREM', agenda, seen .. ':' .. id .. ':' .. row) == 1 then
    local value = redis.call('HGET', KEYS[n], row)
    if value then
      leased[#leased + 1] = tostring(n - 2)
      leased[#leased + 1] = value
      local todo = cjson.decode(value)
      todo[1], todo[3], todo[4] = wakes, todo[3] + 1, worker
      redis.call('HSET', KEYS[n], row, cjson.encode(todo))
      redis.call('ZADD', agenda, 0, wakes .. ':' .. id .. ':' .. row)
    end
  end
end
return leased
