-- ARGV: name of a worker, '1' if it lives, its slots (JSON) or ''. A worker that was silent for an
-- hour is forgotten.
if ARGV[2] == '1' then
  redis.call('ZADD', P .. ':workers', text(NOW), ARGV[1])
  if (ARGV[3] or '') ~= '' then redis.call('HSET', P .. ':slots', ARGV[1], ARGV[3]) end
else
  redis.call('ZREM', P .. ':workers', ARGV[1])
  redis.call('HDEL', P .. ':slots', ARGV[1])
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', P .. ':workers', '-inf', text(NOW - 3600000))) do
  redis.call('ZREM', P .. ':workers', gone)
  redis.call('HDEL', P .. ':slots', gone)
end
return 'done'
