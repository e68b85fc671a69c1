#!lua
-- Writes a campaign, all of it or nothing. Answers its serial; or "currency CODE", the one that it has and keeps; or
-- "full". What was spent stays: it is kept by serial, and a campaign keeps its serial until it is deleted.
-- KEYS: campaigns, version, terms, number of all sponsored products.
-- ARGV: id, currency, number of products, data, daily budget in smallest units, impressions of a visitor a day (0: the
--   setting's), most products of all campaigns.
local campaigns, version, terms, products = unpack(KEYS)
local id, currency, count, data, budget, shown, most = unpack(ARGV)
local serial, before = nil, 0
local kept = redis.call('HGET', campaigns, id)
if kept then
  local its_serial, its_currency, its_count = string.match(kept, '^(%d+) (%u+) (%d+) ')
  if its_currency ~= currency then return 'currency ' .. its_currency end
  serial, before = its_serial, tonumber(its_count)
end
local all = tonumber(redis.call('GET', products) or 0) + tonumber(count) - before
if all > tonumber(most) then return 'full' end
local now = redis.call('INCR', version)
serial = serial or tostring(now)
redis.call('SET', products, all)
redis.call('HSET', campaigns, id, serial .. ' ' .. currency .. ' ' .. count .. ' ' .. data)
redis.call('HSET', terms, serial, budget .. ' ' .. shown)
return serial
