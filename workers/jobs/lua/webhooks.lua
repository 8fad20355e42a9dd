-- Who is called when a job ends. What is told lies in the delivery: the job's record is shortened at
-- once, and may be forgotten before the last try.
local HOOKS_KEPT = 86400    -- seconds that a job's end is told at most
local CALLED = 20           -- addresses that one job may call

local function callbacks_key(id) return P .. ':callbacks:' .. id end

-- When a delivery is tried: its pause is written down, as Redis' clock may be set back (clocks.lua).
local function call_in(delivery, pause)
  redis.call('HSET', P .. ':webhook:' .. delivery, 'pause', text(pause))
  redis.call('ZADD', P .. ':webhooks', text(NOW + pause), delivery)
end

-- Also whom one who joins a job wants called. False if there are as many as may be.
local function call_back(id, url)
  local key = callbacks_key(id)
  if url == '' or redis.call('SISMEMBER', key, url) == 1 then return true end
  if redis.call('SCARD', key) >= CALLED then return false end
  redis.call('SADD', key, url)
  return true
end

local function decoded(raw)
  local fine, value = pcall(cjson.decode, raw or '{}')
  return fine and type(value) == 'table' and value or {}
end

-- How a job ended and what it counted, in JSON: no text of a record, no error's words.
local function outcome_of(id)
  local raw = redis.call('HMGET', job_key(id), 'kind', 'state', 'finished', 'label', 'error',
    'result')
  local result, counts = decoded(raw[6]), {}
  if type(result.records) == 'number' then counts.records = result.records end
  if type(result.formats) == 'table' then
    counts.rows = {}
    for name, made in pairs(result.formats) do counts.rows[name] = made.rows end
  end
  local told = { id = id, kind = raw[1], state = raw[2], finished = tonumber(raw[3] or ''),
    result = counts }
  if (raw[4] or '') ~= '' then told.label = raw[4] end
  if raw[5] then told.code = decoded(raw[5]).code end
  return cjson.encode(told)
end

-- Whoever wanted to be called at the end is: each by a delivery of its own (webhooks_due.lua).
local function announce(id)
  local callbacks = callbacks_key(id)
  local urls = redis.call('SMEMBERS', callbacks)
  if #urls == 0 then return end
  local told = outcome_of(id)
  for at, url in ipairs(urls) do
    local delivery = 'msg_' .. id .. '_' .. at
    local key = P .. ':webhook:' .. delivery
    redis.call('HSET', key, 'job', id, 'url', url, 'told', told, 'attempt', 0)
    redis.call('EXPIRE', key, HOOKS_KEPT)
    call_in(delivery, 0)
  end
  redis.call('DEL', callbacks)
end
