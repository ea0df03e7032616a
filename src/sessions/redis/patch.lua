-- Replaces a session's metadata if nobody else did since it was read.
--
-- KEYS: session, messages, turns, tombstone
-- ARGV: metadata as read, metadata to write, now, life (milliseconds, 0 for ever)
local session = KEYS[1]
local found = redis.call('HMGET', session, 'metadata', 'last_activity')
if not found[1] then
  return { 'absent' }
end
if found[1] ~= ARGV[1] then
  return { 'changed' }
end
local last_activity = math.max(tonumber(found[2]), tonumber(ARGV[3]))
redis.call('HSET', session, 'metadata', ARGV[2], 'last_activity', string.format('%.0f', last_activity))
for _, key in ipairs({ session, KEYS[2], KEYS[3] }) do
  if ARGV[4] == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[4])
  end
end
return { 'patched' }
