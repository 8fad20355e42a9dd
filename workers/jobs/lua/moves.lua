-- What a job goes through: it waits in a queue, is let go, ends with its parts, or is lost.

local function let_go(id)
  local held = redis.call('HDEL', job_key(id), 'token') == 1
  redis.call('HDEL', job_key(id), 'host', 'pid', 'lease_until')
  redis.call('HDEL', P .. ':held', id)
  local parent = parent_of(id)
  if held and parent ~= '' then works(parent, field(id, 'name'), -1) end
end

local function enqueue(id, when)
  let_go(id)
  set(id, 'not_before', text(when), 'pause', text(math.max(when - NOW, 0)))
  move(id, 'queued')
  -- Who comes back to a queue has its old place.
  redis.call('HSETNX', job_key(id), 'line', EXACT)
  local line = when > NOW and text(when) or field(id, 'line')
  redis.call('ZADD', P .. ':queue:' .. field(id, 'queue'), line, id)
  -- Whoever calls publishes it now if it is due; the sweeper wakes workers of a queue that has
  -- something due.
  look_at(id, math.max(when, NOW) + QUEUED_PAUSE)
end

local function leave_queue(id)
  redis.call('ZREM', P .. ':queue:' .. (field(id, 'queue') or ''), id)
end

-- What was not read to its end when its merge ended, never will be.
local function stop_sources(parent)
  local raw = redis.call('HGETALL', sources_key(parent))
  for at = 1, #raw, 2 do
    if raw[at]:sub(-6) == '|state' and (raw[at + 1] == 'queued' or raw[at + 1] == 'running') then
      redis.call('HSET', sources_key(parent), raw[at], 'cancelled')
    end
  end
end

local function finish(id, state, error, result, short)
  leave_queue(id)
  let_go(id)
  redis.call('ZREM', P .. ':active', id)
  set(id, 'finished', text(NOW))
  if state == 'succeeded' then set(id, 'share', 1) end
  if error then set(id, 'error', error) end
  if result then set(id, 'result', result) end
  local parent = parent_of(id)
  if parent == '' then
    redis.call('ZREM', P .. ':live:' .. field(id, 'kind'), id)
    redis.call('DEL', P .. ':holders:' .. id, P .. ':left:' .. id)
    if state ~= 'succeeded' then stop_sources(id) end
    local flight = P .. ':flight:' .. field(id, 'content_key')
    if redis.call('GET', flight) == id then redis.call('DEL', flight) end
    local kind = field(id, 'kind')
    redis.call('HINCRBY', P .. ':durations', kind .. '|' .. state .. '|count', 1)
    redis.call('HINCRBYFLOAT', P .. ':durations', kind .. '|' .. state .. '|seconds',
      math.max(NOW - number(id, 'created'), 0) / 1000)
    for _, parts in ipairs({ P .. ':parts:' .. id, writes_key(id) }) do
      for _, part in ipairs(redis.call('SMEMBERS', parts)) do
        redis.call('EXPIRE', job_key(part), PARTS_KEPT)
      end
      redis.call('EXPIRE', parts, PARTS_KEPT)
    end
    redis.call('EXPIRE', P .. ':pending:' .. id, PARTS_KEPT)
  end
  move(id, state, error)
  if parent == '' then close(id, short or '') end
end

-- Ends parts that wait, and asks those that run to end; `name` limits it to one source's.
local function cancel_parts(parent, name)
  for _, part in ipairs(redis.call('SMEMBERS', P .. ':pending:' .. parent)) do
    if not name or field(part, 'name') == name then
      redis.call('SREM', P .. ':pending:' .. parent, part)
      if HELD[field(part, 'state') or ''] then
        set(part, 'cancel', 1)
      else
        finish(part, 'cancelled')
      end
    end
  end
end

-- Takes back what is left of the parts of a job's writing: it is planned anew.
local function drop_writes(parent)
  for _, part in ipairs(redis.call('SMEMBERS', writes_key(parent))) do
    redis.call('SREM', P .. ':pending:' .. parent, part)
    local state = readable(part) and field(part, 'state')
    if HELD[state or ''] then
      set(part, 'cancel', 1)
    elseif state and not TERMINAL[state] then
      finish(part, 'cancelled')
    end
    redis.call('EXPIRE', job_key(part), PARTS_KEPT)
  end
  redis.call('DEL', writes_key(parent))
  redis.call('HDEL', job_key(parent), 'work', 'code', 'planned', 'strays')
end

-- What a job waits for, and what comes once it is there.
local NEXT = { parts = 'finalise', write = 'seal' }

-- The last part to end queues what is left of its job. Gives what is to be published.
local function gather(parent, publish)
  local state, step = field(parent, 'state'), field(parent, 'step')
  local pending = P .. ':pending:' .. parent
  if redis.call('SCARD', pending) > 0 or not NEXT[step or ''] then return end
  if not state or TERMINAL[state] then return end
  -- The set may have been lost: what the parts say themselves is the truth.
  local all = step == 'write' and writes_key(parent) or P .. ':parts:' .. parent
  for _, part in ipairs(redis.call('SMEMBERS', all)) do
    local known = readable(part) and field(part, 'state')
    local wanted = known and not TERMINAL[known] and field(part, 'cancel') ~= '1'
    if wanted then redis.call('SADD', pending, part) end
  end
  if redis.call('SCARD', pending) > 0 then return end
  set(parent, 'step', NEXT[step], 'parts_share', field(parent, 'share') or '0')
  if step == 'parts' then set(parent, 'queue', 'finalise') end
  enqueue(parent, NOW)
  if step == 'write' then look_at(parent, NOW + PARTS_PAUSE) end
  table.insert(publish, { parent, field(parent, 'queue') })
end

local function fail(id, error, tolerated, publish)
  local parent = parent_of(id)
  finish(id, 'failed', error)
  if parent == '' then
    cancel_parts(id)
    return
  end
  redis.call('SREM', P .. ':pending:' .. parent, id)
  local name = field(id, 'name')
  source_set(parent, name, 'state', 'failed')
  if tolerated and not is_write(id) then
    source_set(parent, name, 'error', error)
    cancel_parts(parent, name)
    gather(parent, publish)
  elseif not TERMINAL[field(parent, 'state') or 'failed'] then
    finish(parent, 'failed', error)
    cancel_parts(parent)
  end
end

local function cancelled(id)
  forget_progress(id)
  finish(id, 'cancelled')
  local parent = parent_of(id)
  if parent ~= '' then redis.call('SREM', P .. ':pending:' .. parent, id) end
end

local function unwanted(id)
  if field(id, 'cancel') == '1' then return true end
  local parent = parent_of(id)
  return parent ~= '' and TERMINAL[field(parent, 'state') or 'failed']
end

-- The process that held a job is gone. Once is bad luck: it goes on at once. What takes it again
-- may last for seconds, so each further attempt waits, up to twice as long as the one before.
local function lose(id, max_attempts, error, pause, publish)
  redis.call('INCR', P .. ':lost')
  if unwanted(id) then return cancelled(id) end
  -- It may still be there, and hold files open that its job's other parts write too.
  if is_write(id) then set(parent_of(id), 'strays', 1) end
  if number(id, 'attempt') >= max_attempts then
    local tolerated = field(parent_of(id), 'allow_missing') == '1'
    return fail(id, error, tolerated, publish)
  end
  forget_progress(id)
  local again = number(id, 'attempt') - 1
  if again <= 0 then
    enqueue(id, NOW)
    table.insert(publish, { id, field(id, 'queue') })
    return
  end
  -- At random between the half and the whole: jobs that were lost together come back apart.
  local share = 0.5 + (tonumber(id:sub(-4), 16) or 0) / 0x20000
  local wait = math.floor(math.min(pause * 2 ^ (again - 1), MAX_LOST_PAUSE) * share)
  set(id, 'note', 'waits to be tried again: its worker was lost')
  enqueue(id, NOW + wait)
end

local function holds(id, fence)
  return HELD[field(id, 'state') or ''] and field(id, 'fence') == fence
end

local function create(id, values)
  for name, value in pairs(values) do set(id, name, value) end
  set(id, 'id', id, 'v', values.v or 1, 'created', text(NOW), 'attempt', 0, 'tries', 0)
end

local function create_part(parent, part, publish)
  create(part.id, { kind = 'part', parent = parent, name = part.source, queue = 'part',
    payload = part.payload, content_key = '' })
  redis.call('SADD', P .. ':parts:' .. parent, part.id)
  redis.call('SADD', P .. ':pending:' .. parent, part.id)
  source_add(parent, part.source, 'parts', 1)
  if part.size and part.size ~= cjson.null then
    redis.call('HSETNX', sources_key(parent), part.source .. '|size', text(part.size))
  end
  redis.call('HINCRBY', job_key(parent), 'parts', 1)
  enqueue(part.id, NOW)
  table.insert(publish, { part.id, 'part' })
end

-- Only workers of the code that planned it can take a part of a job's writing, and releases before
-- there were such parts leave them alone.
local function create_write(parent, part, code, publish)
  create(part.id, { kind = 'write', v = 2, parent = parent, queue = 'write', code = code,
    payload = part.payload, content_key = '' })
  redis.call('SADD', writes_key(parent), part.id)
  redis.call('SADD', P .. ':pending:' .. parent, part.id)
  enqueue(part.id, NOW)
  table.insert(publish, { part.id, 'write' })
end

-- Whether workers live, and none of the code that a job's writing was planned by.
local function deserted(id)
  local code, others = field(id, 'code'), false
  if not code then return false end
  local alive = redis.call('ZRANGEBYSCORE', P .. ':workers', text(NOW - WORKER_LIFE), '+inf')
  for _, name in ipairs(alive) do
    local told = redis.call('HGET', P .. ':slots', name)
    local fine, slots = pcall(cjson.decode, told or '{}')
    if fine and slots.code == code then return false end
    others = true
  end
  return others
end

-- Queues a job whose writing was planned, for whoever takes it to plan it by its own code.
local function plan_anew(id, publish)
  drop_writes(id)
  set(id, 'step', field(id, 'kind') == 'merge' and 'finalise' or 'run',
    'note', 'is planned anew: no worker of the release that planned it is left')
  enqueue(id, NOW)
  table.insert(publish, { id, field(id, 'queue') })
end
