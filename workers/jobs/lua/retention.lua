-- What remains of a job that is over. Its record shrinks at its end; what was long, its events and
-- its sources stay an hour; the rest goes after days, or when memory is short, the oldest end first.
-- Of what is forgotten a line stays that says how it ended, and what it made.
local RECORD = 2048         -- bytes of names and values of a record that is over
local HOUR = 3600           -- seconds that what is long stays
local LONGEST_LOOK = 60000  -- between two sweeps; what is longer is a step of the clock, or a pause
local FULL = 0.6            -- of Redis' memory: from there on the oldest that are over are forgotten
local AT_ONCE = 100         -- jobs that one sweep forgets, or looks at
local LINES = 10000         -- of forgotten jobs that stay
-- What says how a job ended is never cut, and none of it is long; nor is what finds it again.
local KEPT = { id = true, kind = true, state = true, parent = true, content_key = true,
  queue = true, place = true, created = true, started = true, updated = true, finished = true,
  fence = true, attempt = true, tries = true, result = true, corpus = true, label = true,
  asked_by = true, cancelled_by = true }
local WORKING = { 'line', 'not_before', 'pause', 'lease', 'deadline', 'deadline_at', 'began', 'base',
  'was_at', 'was_share', 'mark_at', 'mark_done', 'mark_share', 'parts_share', 'emitted',
  'last_error', 'work', 'code', 'planned', 'strays' }

-- A clock that no step of Redis' own moves: what sweeps saw pass, in milliseconds.
local function lived()
  local seen = redis.call('HMGET', P .. ':lived', 'at', 'ms')
  local passed = math.max(NOW - (tonumber(seen[1] or '') or NOW), 0)
  return (tonumber(seen[2] or '') or 0) + math.min(passed, LONGEST_LOOK)
end

-- Takes words, whole characters of them, that fit into so many bytes.
local function cut(words, most)
  if type(words) ~= 'string' or #words <= most then return words end
  return words:sub(1, most):gsub('[\192-\255]?[\128-\191]*$', '') .. '…'
end

local function cut_error(raw)
  local fine, error = pcall(cjson.decode, raw)
  if not fine then return '' end
  error.remedy = cjson.null
  for _, name in ipairs({ 'title', 'detail', 'hint', 'source' }) do
    error[name] = cut(error[name], 120)
  end
  return cjson.encode(error)
end

-- Moves what is longest out of a record, to where it stays an hour, until it is short.
local function shrink(id, short)
  local rest = P .. ':rest:' .. id
  redis.call('HDEL', job_key(id), unpack(WORKING))
  local result = field(id, 'result')
  if result and short ~= '' and short ~= result then
    redis.call('HSET', rest, 'result', result)
    set(id, 'result', short)
  end
  local raw, long, size = redis.call('HGETALL', job_key(id)), {}, 0
  for at = 1, #raw, 2 do
    size = size + #raw[at] + #raw[at + 1]
    if not KEPT[raw[at]] then table.insert(long, { raw[at], raw[at + 1] }) end
  end
  table.sort(long, function(one, other) return #one[2] > #other[2] end)
  for _, each in ipairs(long) do
    if size <= RECORD then break end
    local name, value = each[1], each[2]
    redis.call('HSET', rest, name, value)
    if name == 'error' then
      set(id, name, cut_error(value))
    elseif name == 'request' then
      set(id, name, '{}')
    else
      redis.call('HDEL', job_key(id), name)
    end
    size = size - #value + #(field(id, name) or '')
  end
  redis.call('EXPIRE', rest, HOUR)
end

close = function(id, short)
  announce(id)
  shrink(id, short)
  redis.call('EXPIRE', P .. ':events:' .. id, HOUR)
  redis.call('EXPIRE', sources_key(id), HOUR)
  redis.call('ZADD', P .. ':ended', text(lived()), id)
end

local function line_of(id)
  local known = redis.call('HMGET', job_key(id), 'kind', 'state', 'finished', 'result')
  local line = { kind = known[1], state = known[2], finished = tonumber(known[3] or '') }
  local fine, result = pcall(cjson.decode, known[4] or '{}')
  if fine and type(result) == 'table' and type(result.artifacts) == 'table' then
    local made, seen = {}, {}
    for _, file in ipairs(result.artifacts) do
      if not seen[file.kind] then
        table.insert(made, { kind = file.kind, path = file.path, sha256 = file.sha256 })
        seen[file.kind] = true
      end
    end
    -- An empty table would be encoded as an object.
    if #made > 0 then line.artifacts = made end
  end
  return cjson.encode(line)
end

local function forget_whole(id)
  if newer(id) then return end
  local state, line = field(id, 'state'), line_of(id)
  -- First what makes room: a Redis that is full takes nothing before.
  local lists = P .. ':lists:' .. id
  for _, list in ipairs(redis.call('SMEMBERS', lists)) do
    redis.call('ZREM', P .. ':' .. list, id)
  end
  redis.call('DEL', job_key(id), P .. ':events:' .. id, sources_key(id), P .. ':rest:' .. id, lists)
  redis.call('ZREM', P .. ':jobs', id)
  redis.call('ZREM', P .. ':ended', id)
  if not state then return end
  redis.call('ZREM', P .. ':jobs:' .. state, id)
  redis.call('HSET', P .. ':forgotten', id, line)
  redis.call('ZADD', P .. ':forgotten:order', text(lived()), id)
end

-- Each by itself: a record that is malformed keeps no other from going.
local function forget(id)
  if not readable(id) or not pcall(forget_whole, id) then set_aside(id) end
end

-- Whether Redis is so full that what is over must make room.
local function pressed()
  local memory = redis.call('INFO', 'memory')
  local most = tonumber(memory:match('maxmemory:(%d+)'))
  return most and most > 0 and tonumber(memory:match('used_memory:(%d+)')) > FULL * most
end

local function forget_some(kept)
  local ended = P .. ':ended'
  for _ = 1, AT_ONCE do
    local oldest = pressed() and redis.call('ZRANGE', ended, 0, 9) or {}
    if #oldest == 0 then break end
    for _, id in ipairs(oldest) do forget(id) end
  end
  redis.call('HSET', P .. ':lived', 'ms', text(lived()), 'at', text(NOW))
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', text(lived() - kept), 'LIMIT', 0,
    AT_ONCE)) do
    forget(id)
  end
  local lines = P .. ':forgotten:order'
  local over = redis.call('ZCARD', lines) - LINES
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', lines, 0, over - 1)) do
      redis.call('HDEL', P .. ':forgotten', id)
      redis.call('ZREM', lines, id)
    end
  end
end

-- Gives jobs that a process of an older release ended: nobody shortened them, and they stand in no
-- order of ends. A sweep looks at some, and the next goes on from there.
local function unclosed()
  local jobs, at = P .. ':jobs', tonumber(redis.call('HGET', P .. ':lived', 'looked') or '') or 0
  if at >= redis.call('ZCARD', jobs) then at = 0 end
  local found = {}
  for _, id in ipairs(redis.call('ZRANGE', jobs, at, at + AT_ONCE - 1)) do
    local state = readable(id) and field(id, 'state')
    if TERMINAL[state or ''] and not newer(id) and not redis.call('ZSCORE', P .. ':ended', id) then
      table.insert(found, id)
    end
  end
  redis.call('HSET', P .. ':lived', 'looked', text(at + AT_ONCE))
  return found
end
