-- ARGV: id, who asks or ''. Gives 'missing', 'newer' (a later release wrote it), 'late' (it is over,
-- or publishes), 'shared' (others asked for the job too, and still want it) or 'done'.
local id = ARGV[1]
local state = readable(id) and field(id, 'state')
if not state or parent_of(id) ~= '' then return 'missing' end
if newer(id) then return 'newer' end
if state == 'cancelled' then return 'done' end
if TERMINAL[state] or (HELD[state] and field(id, 'committed') == '1') then return 'late' end
if state == 'cancelling' then return 'done' end
-- Somebody who did not ask for it, as an operator, ends it for all.
local holders, left = P .. ':holders:' .. id, P .. ':left:' .. id
if redis.call('SREM', holders, ARGV[2]) == 1 then redis.call('SADD', left, ARGV[2]) end
if redis.call('SISMEMBER', left, ARGV[2]) == 1 and redis.call('SCARD', holders) > 0 then
  return 'shared'
end
if field(id, 'committed') == '1' then
  set(id, 'note', 'its last try may have published before it died: look at the artifacts')
end
set(id, 'cancel', 1)
if ARGV[2] ~= '' then set(id, 'cancelled_by', ARGV[2]) end
if HELD[state] then
  move(id, 'cancelling')
else
  finish(id, 'cancelled')
  cancel_parts(id)
end
return 'done'
