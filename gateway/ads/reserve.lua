#!lua
-- Takes, in their order, the first ads that may be shown now, and reserves an impression of each for the visitor, so
-- that answers given at the same time do not show one more often than allowed. Answers for each ad "taken", "refused"
-- (no budget left, deleted, or seen often enough) or "left" (enough were taken before, or this product for another).
-- KEYS: terms, spent today, calls of today by hour; with a visitor: what was seen, reservations.
-- ARGV: day, hour, life of the calls in s, how many to take, now in ms, life of a reservation in ms, impressions of a
--   visitor a day where the campaign does not say, answer's id; then serial and product of each ad, …
local terms, spent, calls, seen, reservations = unpack(KEYS)
local day, hour, life, wanted, now, reserved_ms, usual, answer = unpack(ARGV, 1, 8)

redis.call('HINCRBY', calls, hour, 1)
redis.call('EXPIRE', calls, life)

local waiting = {}
if seen then
  redis.call('ZREMRANGEBYSCORE', reservations, '-inf', now)
  for _, member in ipairs(redis.call('ZRANGE', reservations, 0, -1)) do
    local place = string.match(member, '^(%S+) ')
    waiting[place] = (waiting[place] or 0) + 1
  end
end

local outcomes, taken, products = {}, 0, {}
for at = 9, #ARGV, 2 do
  local serial, product = ARGV[at], ARGV[at + 1]
  local place = serial .. ':' .. product
  local outcome = 'left'
  if taken < tonumber(wanted) and not products[product] then
    local budget, most = string.match(redis.call('HGET', terms, serial) or '', '^(%d+) (%d+)$')
    outcome = 'taken'
    if not budget or tonumber(redis.call('HGET', spent, serial) or 0) >= tonumber(budget) then
      outcome = 'refused'
    elseif seen then
      if most == '0' then most = usual end
      local shown = tonumber(redis.call('HGET', seen, day .. ':i:' .. place) or 0)
      if shown + (waiting[place] or 0) >= tonumber(most) then outcome = 'refused' end
    end
    if outcome == 'taken' then
      taken = taken + 1
      products[product] = true
      if seen and tonumber(reserved_ms) > 0 then
        waiting[place] = (waiting[place] or 0) + 1
        redis.call('ZADD', reservations, now + reserved_ms, place .. ' ' .. answer)
        redis.call('PEXPIRE', reservations, reserved_ms)
      end
    end
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
