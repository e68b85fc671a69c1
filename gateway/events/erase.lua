#!lua
-- Erases a visitor; answers how many events there were.
-- KEYS: stream, visitor's events, erasures, days, then every other key about this visitor whose name is known.
-- ARGV: visitor digest, start of the names of the days' lists.
local stream, events, erasures, days = unpack(KEYS, 1, 4)
local now = redis.call('TIME')
local kept = redis.call('HVALS', events)
for _, value in ipairs(kept) do
  redis.call('XDEL', stream, string.match(value, '^%S+'))
end
for _, day in ipairs(redis.call('SMEMBERS', days)) do
  redis.call('UNLINK', ARGV[2] .. day)
end
redis.call('UNLINK', events, days, unpack(KEYS, 5))
redis.call('ZADD', erasures, now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return #kept
