-- Frees an Idempotency-Key whose turn failed, if this attempt still holds it.
--
-- KEYS: session, messages, turns, tombstone
-- ARGV: key, attempt
local record = redis.call('HGET', KEYS[3], ARGV[1])
if record and string.match(record, '^in_flight %S+ (%S+)') == ARGV[2] then
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return { 'released' }
