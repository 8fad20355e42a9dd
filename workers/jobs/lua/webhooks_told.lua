-- ARGV: id of a delivery, which try, status of the answer or '', pause before the next try or '',
-- whom it was told, without path and query. Gives 'stale' (another try was begun meanwhile) or 'done'.
local hook = P .. ':webhook:' .. ARGV[1]
local known = redis.call('HMGET', hook, 'job', 'attempt')
if not known[1] or known[2] ~= ARGV[2] then return 'stale' end
if ARGV[4] == '' then
  redis.call('DEL', hook)
  redis.call('ZREM', P .. ':webhooks', ARGV[1])
else
  call_in(ARGV[1], tonumber(ARGV[4]))
end
-- A job's events end an hour after it: no late one begins a stream anew, which nothing would end.
local id = known[1]
if readable(id) and field(id, 'state') and not newer(id)
  and redis.call('EXISTS', P .. ':events:' .. id) == 1 then
  emit(id, { type = 'webhook', to = ARGV[5], attempt = tonumber(ARGV[2]),
    status = tonumber(ARGV[3]) or cjson.null, again = ARGV[4] ~= '' })
end
return 'done'
