-- ARGV: id, fence, pause, note. Somebody else is to go on: at once, as this worker stops in good
-- order, or after a pause. Gives {'stale'} or {'done'}, then what to publish.
local id, fence, pause = ARGV[1], ARGV[2], tonumber(ARGV[3])
local publish = {}
if not holds(id, fence) then return { 'stale', publish } end
if unwanted(id) then
  cancelled(id)
  return { 'done', publish }
end
forget_progress(id)
-- Its runner has ended: it does not publish any more.
redis.call('HDEL', job_key(id), 'committed')
set(id, 'attempt', number(id, 'attempt') - 1, 'note', ARGV[4])
local parent = parent_of(id)
if parent ~= '' and ARGV[4] ~= '' then set(parent, 'note', ARGV[4]) end
enqueue(id, NOW + pause)
if pause == 0 then table.insert(publish, { id, field(id, 'queue') }) end
return { 'done', publish }
