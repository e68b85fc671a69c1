#!lua
-- Writes events, all of each or nothing of it: order, data, history and popularity. Answers for each 1: written,
-- 0: there already, -1: its visitor was erased after it happened.
-- KEYS: stream, erasures. The keys of a visitor and of popularity lie in the same slot; events name them.
-- ARGV: what holds for all events, as JSON; the events, as JSON; each one's visitor digest (16 bytes) and event digest
--   (12), one after the other; then each one's data.
local stream, erasures = KEYS[1], KEYS[2]
local all, events, digests = cjson.decode(ARGV[1]), cjson.decode(ARGV[2]), ARGV[3]
local answers, histories, lists = {}, {}, {}

local function count(list, units, product)
  redis.call('ZINCRBY', list, units, product)
  lists[list] = true
end

-- How much of the units that a fresh visitor adds to a product counts: as much as there is room for beside what known
-- visitors gave it.
local function let_in(event, product, units)
  local fresh = event.popularity .. 'fresh'
  local counted = tonumber(redis.call('ZSCORE', fresh, product) or 0)
  local whole = tonumber(redis.call('ZSCORE', event.popularity .. 'all', product) or 0)
  local room = all.fresh_weight * event.growth + all.fresh_ratio * (whole - counted) - counted
  local some = math.max(0, math.min(units, room))
  if some > 0 then count(fresh, some, product) end
  return some / units
end

local function popularise(event, history, visitor)
  local counted, days = all.start .. 'counted:' .. visitor .. ':' .. event.day, all.start .. 'days:' .. visitor
  local first = tonumber(redis.call('ZRANGE', history, 0, 0, 'WITHSCORES')[2])
  local is_fresh = event.time - first < all.fresh_ms
  -- One that comes late may be the first of a visitor who has been known since.
  if is_fresh and event.time == first then
    is_fresh = tonumber(redis.call('ZRANGE', history, -1, -1, 'WITHSCORES')[2]) - first < all.fresh_ms
  end
  local known = redis.call('HLEN', counted)
  for _, found in ipairs(event.counts) do
    local product, weight = found[1], found[2]
    local before = tonumber(redis.call('HGET', counted, product) or (known < all.visitor_products and 0))
    -- The strongest thing that a visitor did with a product on a day counts, once.
    if before and weight > before then
      known = known + redis.call('HSET', counted, product, weight)
      if known == 1 then
        redis.call('EXPIRE', counted, all.day_life_s)
        redis.call('SADD', days, event.day)
        redis.call('EXPIRE', days, all.day_life_s)
      end
      local gain = weight - before
      if is_fresh then gain = gain * let_in(event, product, gain * event.growth) end
      if gain > 0 then
        for _, name in ipairs(found[3]) do
          count(event.popularity .. name, gain * event.growth, product)
        end
        count(event.lately, gain * event.growth_lately, product)
      end
    end
  end
end

-- A query counts once for each visitor: what one asks again and again is not what shoppers ask. `asked` keeps what was
-- added where, so that an erasure can take it back.
local function ask(event, visitor)
  local asked = all.start .. 'asked:' .. visitor
  if redis.call('HEXISTS', asked, event.asked) == 1 or redis.call('HLEN', asked) >= all.visitor_queries then return end
  redis.call('HSET', asked, event.asked, string.format('%.17g ', event.growth) .. event.queries)
  redis.call('EXPIRE', asked, all.history_life_s)
  count(event.queries, event.growth, event.asked)
end

local function write(event, visitor_digest, digest, data)
  local visitor = event.visitor
  local kept, history = all.start .. 'events:' .. visitor, all.start .. 'history:' .. visitor
  local erased = redis.call('ZSCORE', erasures, visitor_digest)
  if erased and event.time <= tonumber(erased) then return -1 end
  if redis.call('HEXISTS', kept, digest) == 1 then return 0 end
  local place = redis.call('XADD', stream, '*', 'v', visitor_digest, 'e', digest)
  redis.call('HSET', kept, digest, place .. ' ' .. data)
  for _, action in ipairs(event.actions) do
    redis.call('ZADD', history, event.time, action)
    histories[history] = true
  end
  if #event.counts > 0 then popularise(event, history, visitor) end
  if event.asked then ask(event, visitor) end
  return 1
end

for number, event in ipairs(events) do
  local at = 28 * (number - 1)
  local visitor_digest, digest = string.sub(digests, at + 1, at + 16), string.sub(digests, at + 17, at + 28)
  answers[number] = write(event, visitor_digest, digest, ARGV[3 + number])
end
for history in pairs(histories) do
  redis.call('ZREMRANGEBYRANK', history, 0, -1 - all.history_actions)
  redis.call('EXPIRE', history, all.history_life_s)
end
for list in pairs(lists) do
  redis.call('ZREMRANGEBYRANK', list, 0, -1 - all.popular_products)
  redis.call('EXPIRE', list, all.popularity_life_s)
end
return answers
