-- A token bucket (KEYS[1]) that fills by ARGV[1] tokens a second up to ARGV[2]: takes at most ARGV[3] whole ones.
-- Returns how many were taken, and the microseconds until there is one.
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at_us')
local tokens = tonumber(kept[1]) or burst
local elapsed_us = math.max(0, now_us - (tonumber(kept[2]) or now_us))
tokens = math.min(burst, tokens + elapsed_us * rate / 1000000)
local taken = math.min(wanted, math.floor(tokens))
tokens = tokens - taken
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at_us', string.format('%.0f', now_us))
-- A bucket that is full again is as good as none.
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 1000)
return {taken, taken > 0 and 0 or math.ceil((1 - tokens) / rate * 1000000)}
