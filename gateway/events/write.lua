#!lua
-- Writes one event, all of it or nothing: order, data, history and popularity. Answers "written", "kept" or "erased".
-- KEYS: stream, visitor's events, history, products counted today, days, erasures, counts of late, then one for each
--   popularity.
-- ARGV: visitor and event digests, data, event time in ms, longest history, its life in s; number of history members,
--   members; growth of popularity's unit, the same of late, life of a popularity in s, products in it, products a
--   visitor may count, life of the day's list in s, day; then product, weight, number of popularities, their places in
--   KEYS, …
local stream, events, history, counted, days, erasures, lately = unpack(KEYS, 1, 7)
local visitor, event, data, time, longest, history_life, members = unpack(ARGV, 1, 7)

local erased = redis.call('ZSCORE', erasures, visitor)
if erased and tonumber(time) <= tonumber(erased) then return 'erased' end
if redis.call('HEXISTS', events, event) == 1 then return 'kept' end

local place = redis.call('XADD', stream, '*', 'v', visitor, 'e', event)
redis.call('HSET', events, event, place .. ' ' .. data)

local at = 8
for _ = 1, tonumber(members) do
  redis.call('ZADD', history, time, ARGV[at])
  at = at + 1
end
if at > 8 then
  redis.call('ZREMRANGEBYRANK', history, 0, -1 - tonumber(longest))
  redis.call('EXPIRE', history, history_life)
end

local growth, growth_lately, life, size, most, day_life, day = unpack(ARGV, at, at + 6)
at = at + 7
local function count(popularity, units, product)
  redis.call('ZINCRBY', popularity, string.format('%.17g', units), product)
  redis.call('ZREMRANGEBYRANK', popularity, 0, -1 - tonumber(size))
  redis.call('EXPIRE', popularity, life)
end
while at <= #ARGV do
  local product, weight, places = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local known = redis.call('HLEN', counted)
  local before = tonumber(redis.call('HGET', counted, product) or (known < tonumber(most) and 0))
  -- The strongest thing that a visitor did with a product on a day counts, once.
  if before and weight > before then
    redis.call('HSET', counted, product, weight)
    if known == 0 then
      redis.call('EXPIRE', counted, day_life)
      redis.call('SADD', days, day)
      redis.call('EXPIRE', days, day_life)
    end
    for place = at + 3, at + 2 + places do
      count(KEYS[tonumber(ARGV[place])], (weight - before) * growth, product)
    end
    count(lately, (weight - before) * growth_lately, product)
  end
  at = at + 3 + places
end
return 'written'
