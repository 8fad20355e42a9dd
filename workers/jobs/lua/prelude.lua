-- What all scripts share. KEYS[1] is the prefix of all keys; times are milliseconds of this server.
-- Each script is one transition of a job: record, indexes, queue and event change together or not
-- at all. A client may send any of them twice (a lost answer): the second does no harm.
local P = KEYS[1]
local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- To the microsecond, for who came first.
local EXACT = string.format('%.3f', clock[1] * 1000 + clock[2] / 1000)
local TERMINAL = { succeeded = true, failed = true, cancelled = true }
local HELD = { running = true, cancelling = true }
local QUEUES = { 'finalise', 'prepare', 'part' }
local PARTS_PAUSE = 20000   -- between two looks at what a merge waits for
local EVENT_PAUSE = 250     -- between two progress events of a job; state changes never wait
local MAX_LOST_PAUSE = 60000 -- before a job goes on whose process was lost more than once
local EVENTS = 1000         -- that a stream keeps
local QUEUED_PAUSE = 300000 -- between two looks at whether a job that is queued is still wanted
local WAKE_PAUSE = 1000     -- between two wake-ups of a queue's workers, whoever sweeps
local WOKEN = 20            -- workers that one wake-up reaches
local PACE = 10000          -- between two marks that a job's pace is told from
local PARTS_KEPT = 600      -- seconds that the records of a finished merge's parts stay
local close                 -- in retention.lua: what remains of a job that is over

local function text(number)
  -- Minus zero would be "-0", which Redis takes for no number.
  return number == 0 and '0' or string.format('%.0f', number)
end
local function job_key(id) return P .. ':job:' .. id end
local function sources_key(id) return P .. ':sources:' .. id end
local function field(id, name) return redis.call('HGET', job_key(id), name) end
local function number(id, name) return tonumber(field(id, name) or '') or 0 end
local function set(id, ...) redis.call('HSET', job_key(id), ...) end
local function look_at(id, when) redis.call('ZADD', P .. ':active', text(when), id) end
local function parent_of(id) return field(id, 'parent') or '' end

-- What a later release wrote is its to read: here it is left as it is.
local function newer(id) return number(id, 'v') > VERSION end

local function emit(id, event)
  local raw = redis.call('HMGET', job_key(id), 'state', 'stage', 'item', 'rows', 'rows_total',
    'done', 'total', 'note', 'attempt', 'share')
  event.at = NOW
  event.state = raw[1]
  event.stage = raw[2] or cjson.null
  event.source = event.source or raw[3] or ''
  event.rows = event.rows or tonumber(raw[4] or '') or 0
  event.rows_total = tonumber(raw[5] or '') or cjson.null
  event.done = event.done or tonumber(raw[6] or '') or 0
  event.total = event.total or tonumber(raw[7] or '') or cjson.null
  event.note = raw[8] or ''
  event.attempt = tonumber(raw[9] or '') or 0
  event.share = tonumber(raw[10] or '') or 0
  redis.call('XADD', P .. ':events:' .. id, 'MAXLEN', '~', EVENTS, '*', 'data', cjson.encode(event))
  set(id, 'emitted', text(NOW))
end

-- Whether a record can be read, or there is none: what is under its key may be anything.
local function readable(id)
  local fine, state = pcall(field, id, 'state')
  return fine and (state or redis.call('EXISTS', job_key(id)) == 0)
end

-- What cannot be read stops nobody: it leaves every index, and is counted.
local function set_aside(id)
  -- First: where Redis takes no writes, which may pass, this ends the script before any loss.
  redis.call('SADD', P .. ':unreadable', id)
  for _, index in ipairs({ 'active', 'jobs', 'jobs:queued', 'jobs:waiting', 'jobs:running',
    'jobs:cancelling', 'jobs:succeeded', 'jobs:failed', 'jobs:cancelled', 'live:merge',
    'live:prepare' }) do
    redis.call('ZREM', P .. ':' .. index, id)
  end
  for _, queue in ipairs(QUEUES) do redis.call('ZREM', P .. ':queue:' .. queue, id) end
  redis.call('HDEL', P .. ':held', id)
end

-- Parts are inner life of their merge: only jobs that a client asked for are listed and have events.
local function move(id, state, error)
  local before = field(id, 'state')
  set(id, 'state', state, 'updated', text(NOW))
  if parent_of(id) ~= '' then return end
  if before then redis.call('ZREM', P .. ':jobs:' .. before, id) end
  redis.call('ZADD', P .. ':jobs:' .. state, field(id, 'place'), id)
  emit(id, { type = 'state', error = error and cjson.decode(error) or nil })
end

local function source_set(parent, name, what, value)
  redis.call('HSET', sources_key(parent), name .. '|' .. what, value)
end

local function source_add(parent, name, what, value)
  redis.call('HINCRBY', sources_key(parent), name .. '|' .. what, text(value))
end

-- What a part has done counts in its merge too, as long as that waits for parts: afterwards it
-- counts its own last step, and once it is over, or forgotten, nothing changes any more.
local function add_up(parent, name, what, value)
  if field(parent, 'step') ~= 'parts' or TERMINAL[field(parent, 'state')] then return end
  source_add(parent, name, what, value)
  redis.call('HINCRBY', job_key(parent), what, text(value))
end

-- As `add_up`, of the share of the whole that a part told.
local function add_share(id, parent, name, share)
  if field(parent, 'step') ~= 'parts' or TERMINAL[field(parent, 'state')] then return end
  redis.call('HINCRBYFLOAT', sources_key(parent), name .. '|share', string.format('%.6f', share))
end

-- The bytes of a source are known when the first of its parts reads; they count once.
local function know_size(parent, name, size)
  if redis.call('HSETNX', sources_key(parent), name .. '|total', size) == 1 then
    redis.call('HINCRBY', job_key(parent), 'total', size)
  end
end

-- How many workers are at a source just now: what nobody works on waits.
local function works(parent, name, by)
  local key = sources_key(parent)
  if redis.call('EXISTS', key) == 0 then return end
  local working = redis.call('HINCRBY', key, name .. '|working', by)
  if working < 0 then redis.call('HSET', key, name .. '|working', 0) end
  local state = redis.call('HGET', key, name .. '|state')
  if working > 0 then
    source_set(parent, name, 'state', 'running')
  else
    if state == 'running' then source_set(parent, name, 'state', 'queued') end
    if field(parent, 'item') == name then redis.call('HDEL', job_key(parent), 'item') end
  end
end

-- How much of a whole merge its sources have come to, by their sizes; of one whose size nobody
-- knows yet the mean is as good a guess as any.
local function share_of_sources(parent)
  local raw, sources = redis.call('HGETALL', sources_key(parent)), {}
  for at = 1, #raw, 2 do
    local name, what = raw[at]:match('^(.*)|([%w_]+)$')
    if name then
      sources[name] = sources[name] or {}
      sources[name][what] = raw[at + 1]
    end
  end
  local known, sized = 0, 0
  for _, source in pairs(sources) do
    source.weight = tonumber(source.total or source.size or '')
    if source.weight then known, sized = known + source.weight, sized + 1 end
  end
  local whole, done = 0, 0
  for _, source in pairs(sources) do
    if source.state ~= 'absent' and source.state ~= 'failed' then
      local weight = math.max(1, source.weight or (sized > 0 and known / sized or 1))
      whole, done = whole + weight, done + weight * (tonumber(source.share or '') or 0)
    end
  end
  return whole > 0 and done / whole or 0
end

-- How much of a whole job is done never grows less, but where it begins again.
local function rise(id, share)
  if share > number(id, 'share') then set(id, 'share', string.format('%.6f', share)) end
end

-- Marks of where a job was some seconds ago: its pace is what came since then.
local function mark(id, turned)
  local now = { text(NOW), text(number(id, 'done')), field(id, 'share') or '0' }
  if turned then
    -- Bytes of another stage are other bytes.
    set(id, 'began', now[1], 'base', now[2])
    redis.call('HSETNX', job_key(id), 'was_at', now[1])
    redis.call('HSETNX', job_key(id), 'was_share', now[3])
  elseif NOW - number(id, 'mark_at') >= PACE then
    local last = redis.call('HMGET', job_key(id), 'mark_at', 'mark_done', 'mark_share')
    set(id, 'began', last[1], 'base', last[2], 'was_at', last[1], 'was_share', last[3])
  else
    return
  end
  set(id, 'mark_at', now[1], 'mark_done', now[2], 'mark_share', now[3])
end

-- How far a job is: in its own record, and what a part has read in its merge's too.
local function tell(id, progress)
  if (progress or '') == '' then return end
  local now = cjson.decode(progress)
  local parent = parent_of(id)
  local shown = parent == '' and id or parent
  local stage = now.stage
  local event = { type = 'progress' }
  if parent ~= '' then
    local name = field(id, 'name')
    event.source = name
    if stage == 'read' then
      if now.total ~= cjson.null then know_size(parent, name, text(now.total)) end
      for _, what in ipairs({ 'rows', 'done' }) do
        local added = now[what] - number(id, what)
        set(id, what, text(now[what]))
        add_up(parent, name, what, added)
      end
    else
      event.rows, event.done = now.rows, now.done
      event.total = now.total
      -- While some sources are read, others may still be fetched: the first to read sets the stage.
      if field(parent, 'stage') == 'read' then stage = 'read' end
    end
    set(parent, 'item', name, 'note', now.note)
    -- A worker of the last release tells none.
    if now.share and now.share ~= cjson.null then
      add_share(id, parent, name, now.share - number(id, 'share'))
      set(id, 'share', string.format('%.6f', now.share))
      if field(parent, 'step') == 'parts' then rise(parent, share_of_sources(parent)) end
    end
  else
    set(id, 'item', now.item, 'rows', text(now.rows), 'done', text(now.done), 'note', now.note)
    for _, what in ipairs({ 'total', 'rows_total' }) do
      if now[what] ~= cjson.null then
        set(id, what, text(now[what]))
      else
        redis.call('HDEL', job_key(id), what)
      end
    end
    if now.share and now.share ~= cjson.null then rise(id, now.share) end
  end
  local turned = field(shown, 'stage') ~= stage
  if turned then set(shown, 'stage', stage) end
  mark(shown, turned)
  set(shown, 'updated', text(NOW))
  if turned or math.abs(NOW - number(shown, 'emitted')) >= EVENT_PAUSE then emit(shown, event) end
end

-- A part that begins again takes back what it had added to its merge.
local function forget_progress(id)
  local parent = parent_of(id)
  if parent ~= '' then
    local name = field(id, 'name')
    for _, what in ipairs({ 'rows', 'done' }) do
      add_up(parent, name, what, -number(id, what))
    end
    add_share(id, parent, name, -number(id, 'share'))
  end
  redis.call('HDEL', job_key(id), 'stage', 'item', 'rows', 'rows_total', 'done', 'total', 'note',
    'share', 'was_at', 'was_share', 'mark_at', 'mark_done', 'mark_share')
  -- What its parts made stays made.
  local parts = field(id, 'parts_share')
  if parts then set(id, 'share', parts) end
end

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
    for _, part in ipairs(redis.call('SMEMBERS', P .. ':parts:' .. id)) do
      redis.call('EXPIRE', job_key(part), PARTS_KEPT)
    end
    redis.call('EXPIRE', P .. ':parts:' .. id, PARTS_KEPT)
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

-- The last part to end queues what is left of its merge. Gives what is to be published.
local function gather(parent, publish)
  local state = field(parent, 'state')
  local pending = P .. ':pending:' .. parent
  if redis.call('SCARD', pending) > 0 or field(parent, 'step') ~= 'parts' then return end
  if not state or TERMINAL[state] then return end
  -- The set may have been lost: what the parts say themselves is the truth.
  for _, part in ipairs(redis.call('SMEMBERS', P .. ':parts:' .. parent)) do
    local known = readable(part) and field(part, 'state')
    local wanted = known and not TERMINAL[known] and field(part, 'cancel') ~= '1'
    if wanted then redis.call('SADD', pending, part) end
  end
  if redis.call('SCARD', pending) > 0 then return end
  set(parent, 'step', 'finalise', 'queue', 'finalise', 'parts_share', field(parent, 'share') or '0')
  enqueue(parent, NOW)
  table.insert(publish, { parent, 'finalise' })
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
  if tolerated then
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
  set(id, 'id', id, 'v', VERSION, 'created', text(NOW), 'attempt', 0, 'tries', 0)
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
