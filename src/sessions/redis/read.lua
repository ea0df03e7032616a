-- Reads what the caller does not know yet, and prolongs the session's life.
--
-- KEYS: session, messages, turns, tombstone
local session, messages, turns, tombstone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- The last message that the caller knows ('' and 0 for none), and how many it wants at most.
local known_epoch, known_seq, known_turn, newest = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local with_metadata, ttl = ARGV[5] == 'yes', tonumber(ARGV[6])
-- Only messages before this number; '' for all.
local before = tonumber(ARGV[7])

local found = redis.call('HMGET', session, 'epoch', 'seq', 'trimmed', 'created_at', 'last_activity')
local epoch, seq, trimmed = found[1], tonumber(found[2] or 0), tonumber(found[3] or 0)
local buried = redis.call('GET', tombstone)
local deletion = buried and string.match(buried, '^%S+') or ''

local there = redis.call('LLEN', messages)
if there ~= seq - trimmed then
  return { 'damaged', tostring(there), tostring(seq - trimmed) }
end
if not epoch then
  return { 'absent', deletion }
end

for _, key in ipairs({ session, messages, turns }) do
  if ttl == 0 then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ttl)
  end
end

-- Messages are counted over all ever appended. The list still has those from `trimmed` on; from its end, number `n`
-- (from 0) is at `n - seq`.
before = math.min(before or seq, seq)
local from = math.max(trimmed, before - newest)
local status = 'newest'
if known_epoch == epoch and known_seq >= from and known_seq > trimmed and known_seq <= seq then
  -- After a failover that lost writes, another message may stand in its place. Its content cannot look like this:
  -- there, quotes are escaped.
  local last_known = redis.call('LINDEX', messages, known_seq - 1 - seq)
  if string.find(last_known, '"turn_id":"' .. known_turn .. '"', 1, true) then
    status, from = 'since', known_seq
  end
end

local metadata = with_metadata and redis.call('HGET', session, 'metadata') or ''
local reply = { status, epoch, found[2], found[3], deletion, found[4], found[5], metadata }
if from < before then
  for _, message in ipairs(redis.call('LRANGE', messages, from - seq, before - 1 - seq)) do
    reply[#reply + 1] = message
  end
end
return reply
