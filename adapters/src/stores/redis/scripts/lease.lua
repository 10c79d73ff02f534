-- Leases rows of one shard that are due, where nobody else did so since they were seen.
local agenda, time, lease, worker = KEYS[1], now(ARGV[1]), ARGV[2], ARGV[3]
local due_by, wakes = digits(time), digits(time + lease)
local leased = {}
for n = 2, #KEYS do
  local at = 4 + (n - 2) * 3
  local seen, id, row = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if seen <= due_by and redis.call('ZREM', agenda, seen .. ':' .. id .. ':' .. row) == 1 then
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
