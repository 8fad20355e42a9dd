-- ARGV: id, fence, error (JSON), '1' if a merge may go on without this part's source, the last
-- progress (JSON) or ''. Gives {'stale'} or {'done'}, then what to publish.
local id, fence, error = ARGV[1], ARGV[2], ARGV[3]
local publish = {}
if not holds(id, fence) then
  local again = field(id, 'fence') == fence and field(id, 'state') == 'failed'
  return { again and 'done' or 'stale', publish }
end
if unwanted(id) then
  cancelled(id)
else
  redis.call('HDEL', job_key(id), 'committed')
  tell(id, ARGV[5])
  fail(id, error, ARGV[4] == '1', publish)
end
return { 'done', publish }
