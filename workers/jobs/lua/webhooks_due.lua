-- ARGV: lease, most. Takes deliveries that are due: whoever has one has it until the lease is out.
-- Gives for each {id, job, url, what is told (JSON), which try}.
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':webhooks', '-inf', text(NOW), 'LIMIT', 0,
  tonumber(ARGV[2]))) do
  local hook = P .. ':webhook:' .. id
  local known = redis.call('HMGET', hook, 'job', 'url', 'told')
  if known[1] then
    call_in(id, tonumber(ARGV[1]))
    local attempt = redis.call('HINCRBY', hook, 'attempt', 1)
    table.insert(taken, { id, known[1], known[2], known[3], text(attempt) })
  else
    redis.call('ZREM', P .. ':webhooks', id)
  end
end
return taken
