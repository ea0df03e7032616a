-- Appends a turn, whole or not at all, once. The rules are those of record.rs.
--
-- KEYS: session, messages, turns, tombstone
local session, messages, turns, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local writer, number = ARGV[1], tonumber(ARGV[2])
-- What the turn saw when it began: whether it read the session, its epoch, the deletion on its tombstone ('' for none).
local saw, seen_epoch, seen_deletion = ARGV[3] == 'yes', ARGV[4], ARGV[5]
local epoch_if_new, asked_at, answered_at = ARGV[6], ARGV[7], ARGV[8]
-- Milliseconds; the second is less if the turn had to wait. 0 and 0 for a session that never expires.
local ttl, ttl_left = tonumber(ARGV[9]), tonumber(ARGV[10])
local max_messages = tonumber(ARGV[11])
local user, assistant = ARGV[12], ARGV[13]
-- The Idempotency-Key of the turn's request ('' for none), and its record as reserve.lua tells: what stands in it before
-- `seq` and after it.
local key, record, counts_until = ARGV[14], ARGV[15], ARGV[16]

local found = redis.call('HMGET', session, 'epoch', 'seq', 'trimmed', 'last_activity', 'w:' .. writer)
local epoch, last_activity, last_number = found[1], found[4], found[5]
local seq, trimmed = tonumber(found[2] or 0), tonumber(found[3] or 0)

local buried = redis.call('GET', tombstone)
if buried then
  local deletion, deleted_at = string.match(buried, '^(%S+) (%d+)')
  local began_before
  if saw then
    local saw_present = seen_epoch ~= '' and seen_epoch == epoch
    began_before = not saw_present and seen_deletion ~= deletion
  else
    began_before = tonumber(asked_at) <= tonumber(deleted_at)
  end
  if began_before then
    return { 'deleted' }
  end
end

if last_number and number <= tonumber(last_number) then
  return { 'repeated', found[2] }
end

if key ~= '' then
  local held = redis.call('HGET', turns, key)
  if held and string.find(held, 'answered ', 1, true) == 1 then
    return { 'superseded', tostring(seq) }
  end
end

local there = redis.call('LLEN', messages)
if there ~= seq - trimmed then
  return { 'damaged', tostring(there), tostring(seq - trimmed) }
end

redis.call('RPUSH', messages, user, assistant)
seq = seq + 2
local excess = seq - trimmed - max_messages
if excess > 0 then
  excess = excess + excess % 2
  redis.call('LTRIM', messages, excess, -1)
  trimmed = trimmed + excess
end

if not epoch then
  epoch = epoch_if_new
  redis.call('HSET', session, 'created_at', asked_at, 'metadata', '{}', 'epoch', epoch)
end
if not last_activity or tonumber(last_activity) < tonumber(answered_at) then
  last_activity = answered_at
end
local life = redis.call('PTTL', session)
redis.call('HSET', session, 'seq', seq, 'trimmed', trimmed, 'last_activity', last_activity, 'w:' .. writer, number)
if key ~= '' then
  redis.call('HSET', turns, key, record .. ' ' .. seq .. ' ' .. counts_until)
end

for _, key in ipairs({ session, messages, turns }) do
  if ttl == 0 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, math.max(ttl_left, math.min(life, ttl)))
  end
end
return { 'saved', epoch, tostring(seq), tostring(trimmed) }
