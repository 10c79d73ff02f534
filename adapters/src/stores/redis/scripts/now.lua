-- The time by this server's own clock, moved by so many microseconds; and a time in the digits that `keys.rs` writes.
local function now(shift)
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2] + shift
end

local function digits(micros)
  return string.format('%012.0f%06.0f000', math.floor(micros / 1000000) + 377705023201, micros % 1000000)
end

