-- ARGV: name of a worker, '1' if it lives. A worker that was silent for an hour is forgotten.
if ARGV[2] == '1' then
  redis.call('ZADD', P .. ':workers', text(NOW), ARGV[1])
else
  redis.call('ZREM', P .. ':workers', ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', P .. ':workers', '-inf', text(NOW - 3600000))
return 'done'
