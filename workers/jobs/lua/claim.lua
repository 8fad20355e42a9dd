-- ARGV: id, token, host, pid, lease, most attempts, deadline, error of a job lost too often, queue
-- or '', pause before a lost job's third attempt, worker whose slot it takes, key of its code. Gives
-- {'claimed', fence} or {why not, host, pid, fence} of the holder, what to publish, and the job's id.
--
-- With a queue, the job is the one that has waited longest in it: messages may overtake each other,
-- jobs do not.
local id, token, host, pid = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local claimed = P .. ':claimed:' .. token

-- What was planned is written by the code that planned it, and by no other.
local function foreign(one)
  local code = field(one, 'code')
  return code and code ~= (ARGV[12] or '')
end

local mine = redis.call('GET', claimed)
if mine then
  id = mine -- the same call once more: its answer was lost
elseif ARGV[9] ~= '' then
  local queue, passed = P .. ':queue:' .. ARGV[9], 0
  repeat
    local first = redis.call('ZRANGEBYSCORE', queue, '-inf', EXACT, 'LIMIT', passed, 1)[1]
    id = first or id
    local known = readable(id) and field(id, 'state')
    local open = known and not TERMINAL[known]
    local passes = readable(id) and (newer(id) or (open and foreign(id)))
    if not readable(id) then
      set_aside(id)
    elseif first and passes then
      passed = passed + 1
    elseif first and not open then
      redis.call('ZREM', queue, id)
    end
  until (open and not passes) or not first
end
if not readable(id) then return { 'over', '', '', '', {}, id } end
if newer(id) then return { 'of a newer release', '', '', '', {}, id } end
if foreign(id) then return { 'of other code', '', '', '', {}, id } end
local lease, most, deadline = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local publish = {}
local state = field(id, 'state')
if not state or TERMINAL[state] then
  redis.call('ZREM', P .. ':active', id)
  leave_queue(id)
  return { 'over', '', '', '', publish, id }
end
if HELD[state] then
  if field(id, 'token') == token then return { 'claimed', field(id, 'fence'), '', '', publish, id } end
  if number(id, 'lease_until') > NOW then
    local holder = redis.call('HMGET', job_key(id), 'host', 'pid', 'fence')
    return { 'busy', holder[1], holder[2], holder[3], publish, id }
  end
  lose(id, most, ARGV[8], tonumber(ARGV[10]), publish)
  -- What is queued now is ours to take, and nobody need publish it.
  publish = field(id, 'state') == 'queued' and {} or publish
  state = field(id, 'state')
end
if state ~= 'queued' or NEXT[field(id, 'step') or ''] then
  return { 'over', '', '', '', publish, id }
end
if unwanted(id) then
  cancelled(id)
  return { 'over', '', '', '', publish, id }
end
if number(id, 'not_before') > NOW then return { 'early', '', '', '', publish, id } end

-- Ever growing, even if Redis lost its data in between: what is published remembers its number.
local fence = math.max((tonumber(redis.call('GET', P .. ':fence') or '') or 0) + 1, NOW)
redis.call('SET', P .. ':fence', text(fence))
leave_queue(id)
forget_progress(id)
set(id, 'fence', text(fence), 'token', token, 'host', host, 'pid', pid,
  'lease', text(lease), 'lease_until', text(NOW + lease),
  'deadline', text(deadline), 'deadline_at', text(NOW + deadline),
  'attempt', number(id, 'attempt') + 1)
redis.call('HSETNX', job_key(id), 'started', text(NOW))
look_at(id, NOW + lease)
redis.call('HSET', P .. ':held', id, (field(id, 'queue') or '') .. '|' .. (ARGV[11] or ''))
move(id, 'running')
local parent = parent_of(id)
if parent ~= '' then
  redis.call('HSETNX', job_key(parent), 'started', text(NOW))
  if field(parent, 'state') == 'queued' and field(parent, 'step') == 'parts' then
    leave_queue(parent)
    move(parent, 'waiting')
  end
  works(parent, field(id, 'name'), 1)
end
redis.call('SET', claimed, id, 'EX', 60)
return { 'claimed', text(fence), '', '', publish, id }
