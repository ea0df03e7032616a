-- Deletes a session and leaves a tombstone, so that a turn that began before is not saved after.
--
-- KEYS: session, messages, turns, tombstone
-- ARGV: now, the tombstone's life (milliseconds); the name of this deletion, also the epoch of a session that lost its own
-- It is sent again if the reply was lost; the session may have begun anew since.
local buried = redis.call('GET', KEYS[4])
if buried and string.match(buried, '%S+$') == ARGV[3] then
  return { 'deleted', '0' }
end
local found = redis.call('HMGET', KEYS[1], 'epoch', 'last_activity')
-- A key may be held for a turn that is to be the session's first.
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  return { 'absent' }
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('SET', KEYS[4], table.concat({ found[1] or ARGV[3], ARGV[1], ARGV[3] }, ' '), 'PX', ARGV[2])
return { 'deleted', found[2] or '0' }
