-- Removes sessions from the listing, but none that became active again since it was found dead.
--
-- KEYS: the listing. ARGV: member, score, member, score, …
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return {}
