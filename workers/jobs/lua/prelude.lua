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
local QUEUES = { 'finalise', 'prepare', 'write', 'part' }
local PARTS_PAUSE = 20000   -- between two looks at what a merge waits for
local EVENT_PAUSE = 250     -- between two progress events of a job; state changes never wait
local MAX_LOST_PAUSE = 60000 -- before a job goes on whose process was lost more than once
local EVENTS = 1000         -- that a stream keeps
local QUEUED_PAUSE = 300000 -- between two looks at whether a job that is queued is still wanted
local WAKE_PAUSE = 1000     -- between two wake-ups of a queue's workers, whoever sweeps
local WOKEN = 20            -- workers that one wake-up reaches
local PACE = 10000          -- between two marks that a job's pace is told from
local PARTS_KEPT = 600      -- seconds that the records of a finished job's parts stay
local WORKER_LIFE = 30000   -- for which a worker that is silent is still taken to live
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
local function writes_key(id) return P .. ':writes:' .. id end
-- Parts are of two kinds: `part` reads a source, `write` writes some of what its job has planned.
local function is_write(id) return field(id, 'kind') == 'write' end

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
  event.attempt = event.attempt or tonumber(raw[9] or '') or 0
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
  for _, index in ipairs({ 'active', 'ended', 'jobs', 'jobs:queued', 'jobs:waiting', 'jobs:running',
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
