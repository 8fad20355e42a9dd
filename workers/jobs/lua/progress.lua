-- How far a job is: what its parts and sources count, its share of the whole, and its pace.

-- A part that is malformed may have no name: then nothing is counted, and nobody is held up.
local function source_set(parent, name, what, value)
  if name then redis.call('HSET', sources_key(parent), name .. '|' .. what, value) end
end

local function source_add(parent, name, what, value)
  if name then redis.call('HINCRBY', sources_key(parent), name .. '|' .. what, text(value)) end
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
  if not name or field(parent, 'step') ~= 'parts' or TERMINAL[field(parent, 'state')] then return end
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
  if not name or redis.call('EXISTS', key) == 0 then return end
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
  local last = redis.call('HMGET', job_key(id), 'mark_at', 'mark_done', 'mark_share')
  if turned or not (last[1] and last[2] and last[3]) then
    -- Bytes of another stage are other bytes; and a release before turned stages without a mark.
    set(id, 'began', now[1], 'base', now[2])
    redis.call('HSETNX', job_key(id), 'was_at', now[1])
    redis.call('HSETNX', job_key(id), 'was_share', now[3])
  elseif NOW - tonumber(last[1]) >= PACE then
    set(id, 'began', last[1], 'base', last[2], 'was_at', last[1], 'was_share', last[3])
  else
    return
  end
  set(id, 'mark_at', now[1], 'mark_done', now[2], 'mark_share', now[3])
end

-- What a part of a job's writing has done counts in its job, as long as that waits for it.
local function count_write(id, parent, what, value)
  local before = number(id, what)
  set(id, what, text(value))
  if field(parent, 'step') ~= 'write' or TERMINAL[field(parent, 'state')] then return end
  redis.call('HINCRBY', job_key(parent), what, text(value - before))
end

-- How far a part of a job's writing is: of the job, that is a share of what was planned.
local function tell_write(id, parent, now)
  if field(parent, 'step') ~= 'write' or TERMINAL[field(parent, 'state')] then return end
  count_write(id, parent, 'rows', now.rows)
  count_write(id, parent, 'done', now.done)
  set(parent, 'item', now.item, 'note', now.note)
  local fine, planned = pcall(cjson.decode, field(parent, 'planned') or '')
  local whole = number(parent, 'rows_total')
  if fine and whole > 0 then
    local done = math.min(1, number(parent, 'rows') / whole)
    rise(parent, planned.from + (planned.to - planned.from) * done)
  end
end

-- How far a job is: in its own record, and what a part has read in its merge's too.
local function tell(id, progress)
  if (progress or '') == '' then return end
  local now = cjson.decode(progress)
  local parent = parent_of(id)
  local shown = parent == '' and id or parent
  local stage = now.stage
  local event = { type = 'progress' }
  if is_write(id) then
    tell_write(id, parent, now)
  elseif parent ~= '' then
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
  if is_write(id) then
    for _, what in ipairs({ 'rows', 'done' }) do count_write(id, parent, what, 0) end
  elseif parent ~= '' then
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
