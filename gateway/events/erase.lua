#!lua
-- Erases a visitor; answers how many events there were.
-- KEYS: stream, visitor's events, erasures, days, asked, then every other key about this visitor whose name is known.
-- ARGV: visitor digest, start of the names of the days' lists.
local stream, events, erasures, days, asked = unpack(KEYS, 1, 5)
local now = redis.call('TIME')
local kept = redis.call('HVALS', events)
for _, value in ipairs(kept) do
  redis.call('XDEL', stream, string.match(value, '^%S+'))
end
for _, day in ipairs(redis.call('SMEMBERS', days)) do
  redis.call('UNLINK', ARGV[2] .. day)
end
local queries = redis.call('HGETALL', asked)
for place = 1, #queries, 2 do
  local query, units, list = queries[place], string.match(queries[place + 1], '^(%S+) (.+)$')
  -- What nobody else asked goes, and no rounding error of it stays.
  if tonumber(redis.call('ZINCRBY', list, -units, query)) <= 1e-6 * units then redis.call('ZREM', list, query) end
end
redis.call('UNLINK', events, days, asked, unpack(KEYS, 6))
redis.call('ZADD', erasures, now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return #kept
