-- Makes a session of messages that were put into a list beside it.
--
-- KEYS: session, messages, turns, tombstone, the list
-- ARGV: whether to replace ('yes'), epoch, seq, trimmed, created_at, last_activity, metadata, life (milliseconds, 0 for ever)
local session, messages, turns, list = KEYS[1], KEYS[2], KEYS[3], KEYS[5]
-- It is sent again if the reply was lost.
if redis.call('HGET', session, 'epoch') == ARGV[2] then
  return { 'added' }
end
local is_there = redis.call('EXISTS', session, messages) > 0
if is_there and ARGV[1] ~= 'yes' then
  redis.call('DEL', list)
  return { 'already_there' }
end
if redis.call('LLEN', list) ~= ARGV[3] - ARGV[4] then
  redis.call('DEL', list)
  return { 'incomplete' }
end
if is_there then
  redis.call('DEL', session, messages, turns)
end
redis.call('RENAME', list, messages)
redis.call('HSET', session, 'epoch', ARGV[2], 'seq', ARGV[3], 'trimmed', ARGV[4], 'created_at', ARGV[5],
  'last_activity', ARGV[6], 'metadata', ARGV[7])
for _, key in ipairs({ session, messages }) do
  if ARGV[8] == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[8])
  end
end
return { 'added' }
