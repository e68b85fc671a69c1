#!lua
-- Accounts an impression or a click of an ad, all of it or nothing, once for each token. Answers what became of it and
-- what was charged, in smallest units: "counted"; "repeated" (the token was accounted); "capped" (the visitor did so
-- too often today); "spent" (a click when nothing was left of the budget); "deleted" (there is no such campaign);
-- "erased" (the visitor, after this happened).
-- KEYS: terms, tokens used, spent today, counts of today, campaign's totals, what the visitor saw, reservations,
--   erasures.
-- ARGV: "impression" or "click", serial, product, price, token, answer's id, expected clicks of an impression, visitor
--   digest, event time in ms, day, impressions of a visitor a day where the campaign does not say, clicks of a visitor
--   a day, when the tokens used are forgotten, when the day ends (both in s since 1970), life of the day's counts in s.
local terms, used, spent, counts, totals, seen, reservations, erasures = unpack(KEYS)
local kind, serial, product, price, token, answer, expected, visitor, time, day, usual, most_clicks, forgotten, ends,
  life = unpack(ARGV)

local erased = redis.call('ZSCORE', erasures, visitor)
if erased and tonumber(time) <= tonumber(erased) then return {'erased', 0} end
local budget, most = string.match(redis.call('HGET', terms, serial) or '', '^(%d+) (%d+)$')
if not budget then return {'deleted', 0} end
if most == '0' then most = usual end
local place = serial .. ':' .. product

local function once(what)
  local new = redis.call('SADD', used, what .. token) == 1
  redis.call('EXPIREAT', used, forgotten)
  return new
end

local function did(what)
  local often = redis.call('HINCRBY', seen, day .. ':' .. what .. ':' .. place, 1)
  redis.call('EXPIREAT', seen, ends)
  return often
end

local function count(what)
  redis.call('HINCRBY', counts, what .. ':' .. serial, 1)
  redis.call('EXPIRE', counts, life)
  redis.call('HINCRBY', totals, what, 1)
  redis.call('HINCRBY', totals, what .. ':' .. product, 1)
end

local outcome, charged = 'repeated', 0
-- Who clicked has seen it, reported or not.
if once('i') then
  outcome = 'capped'
  redis.call('ZREM', reservations, place .. ' ' .. answer)
  if did('i') <= tonumber(most) then
    outcome = 'counted'
    count('i')
    redis.call('HINCRBYFLOAT', totals, 'e', expected)
    redis.call('HINCRBYFLOAT', totals, 'e:' .. product, expected)
  end
end
if kind == 'click' then
  if not once('c') then return {'repeated', 0} end
  if did('c') > tonumber(most_clicks) then return {'capped', 0} end
  count('c')
  local left = tonumber(budget) - tonumber(redis.call('HGET', spent, serial) or 0)
  if left <= 0 then return {'spent', 0} end
  outcome, charged = 'counted', math.min(tonumber(price), left)
  redis.call('HINCRBY', spent, serial, charged)
  redis.call('EXPIRE', spent, life)
  redis.call('HINCRBY', totals, 's', charged)
end
return {outcome, charged}
