-- ARGV: id, fence, error (JSON), pause, most tries. What failed may pass: queue the job for later.
-- Gives 'stale', 'spent' or 'done'.
local id, fence, error, pause, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if not holds(id, fence) then return 'stale' end
if unwanted(id) then
  cancelled(id)
  return 'done'
end
if number(id, 'tries') + 1 >= most then return 'spent' end
redis.call('HDEL', job_key(id), 'committed')
forget_progress(id)
-- A try is no attempt: nothing was lost.
set(id, 'tries', number(id, 'tries') + 1, 'attempt', number(id, 'attempt') - 1, 'last_error', error)
local note = 'waits to be tried again: ' .. cjson.decode(error).title
set(id, 'note', note)
enqueue(id, NOW + pause)
local parent = parent_of(id)
if parent ~= '' then
  -- Nobody works on its source now: the note names it.
  set(parent, 'note', (field(id, 'name') or '') .. ' ' .. note)
  emit(parent, { type = 'progress' })
end
return 'done'
