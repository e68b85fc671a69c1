#!lua
-- Deletes a campaign with what it spent; answers 1, or 0 where there was none. Clicks on the way find no terms.
-- KEYS: campaigns, version, terms, number of all sponsored products.
-- ARGV: id, start of the names of totals.
local campaigns, version, terms, products = unpack(KEYS)
local kept = redis.call('HGET', campaigns, ARGV[1])
if not kept then return 0 end
local serial, count = string.match(kept, '^(%d+) %u+ (%d+) ')
redis.call('INCR', version)
redis.call('DECRBY', products, count)
redis.call('HDEL', campaigns, ARGV[1])
redis.call('HDEL', terms, serial)
redis.call('UNLINK', ARGV[2] .. serial)
return 1
