-- Adds messages to the list of an import, and lets the list go by itself if the import is cut off.
--
-- KEYS: the list. ARGV: its life (milliseconds), message, message, …
for i = 2, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'added' }
