-- Holds an Idempotency-Key while its turn is being answered, unless somebody holds it or it was answered.
--
-- A record is `in_flight` or `answered`, the request's digest, the attempt or the turn, the session's `seq` after that
-- turn, and until when the record counts (milliseconds since 1970); an answer follows on the next line. The field with
-- the empty name, which no key has, says when old records were last removed.
--
-- KEYS: session, messages, turns, tombstone
-- ARGV: key, digest, attempt, now, until when it is held
local turns = KEYS[3]
local key, digest, attempt = ARGV[1], ARGV[2], ARGV[3]
local now, held_until = tonumber(ARGV[4]), tonumber(ARGV[5])
local HEADER = '^(%S+) (%S+) (%S+) (%S+) (%d+)'
local HOUR = 3600000

local record = redis.call('HGET', turns, key)
if record then
  local state, its_digest, its_attempt, seq, counts_until = string.match(record, HEADER)
  if tonumber(counts_until) > now then
    if its_digest ~= digest then
      return { 'other_request' }
    end
    if state == 'in_flight' then
      -- Its own, if it is sent again because the reply was lost.
      return { its_attempt == attempt and 'reserved' or 'in_flight' }
    end
    return { 'answered', seq, string.sub(record, string.find(record, '\n', 1, true) + 1) }
  end
end

local swept_at = redis.call('HGET', turns, '')
if not swept_at then
  redis.call('HSET', turns, '', ARGV[4])
elseif tonumber(swept_at) + HOUR < now then
  for _, field in ipairs(redis.call('HKEYS', turns)) do
    if field ~= '' then
      local _, _, _, _, counts_until = string.match(redis.call('HGET', turns, field), HEADER)
      if tonumber(counts_until) <= now then
        redis.call('HDEL', turns, field)
      end
    end
  end
  redis.call('HSET', turns, '', ARGV[4])
end

-- The turn's session may not exist yet, or end before the turn does.
local life = redis.call('PTTL', turns)
local is_new = not swept_at
redis.call('HSET', turns, key, table.concat({ 'in_flight', digest, attempt, '0', ARGV[5] }, ' '))
if is_new or (life >= 0 and life < held_until - now) then
  redis.call('PEXPIRE', turns, held_until - now)
end
return { 'reserved' }
