-- ARGV: most jobs to look at, most attempts, error of a job lost too often, milliseconds that a job
-- is remembered from its end, pause before a lost job's third attempt, lease, deadline.
-- Gives {what to publish, jobs that were lost, jobs that are over and to be shortened}.
local publish, lost = {}, {}
-- First of all: where memory is short, this makes the room that the rest needs.
forget_some(tonumber(ARGV[4]))
clamp(tonumber(ARGV[6]), tonumber(ARGV[7]))

local function look(id)
  local state = field(id, 'state')
  if not state or TERMINAL[state] then
    redis.call('ZREM', P .. ':active', id)
  elseif HELD[state] then
    table.insert(lost, id)
    lose(id, tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[5]), publish)
  elseif unwanted(id) then
    cancelled(id)
  elseif NEXT[field(id, 'step') or ''] then
    -- Parts whose records are gone, cannot be read, or ended while nobody counted, must not be
    -- waited for.
    for _, part in ipairs(redis.call('SMEMBERS', P .. ':pending:' .. id)) do
      if not readable(part) then set_aside(part) end
      local known = readable(part) and field(part, 'state') or 'failed'
      if TERMINAL[known] then
        redis.call('SREM', P .. ':pending:' .. id, part)
      elseif not redis.call('ZSCORE', P .. ':active', part) then
        look_at(part, NOW) -- a release that does not know it dropped it
      end
    end
    look_at(id, NOW + PARTS_PAUSE)
    if deserted(id) then plan_anew(id, publish) else gather(id, publish) end
  elseif field(id, 'step') == 'seal' then
    look_at(id, NOW + PARTS_PAUSE)
    if deserted(id) then plan_anew(id, publish) end
  else
    look_at(id, NOW + QUEUED_PAUSE)
  end
end

local seen, most = 0, tonumber(ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':active', '-inf', text(NOW), 'LIMIT', 0,
  10 * most)) do
  if seen == most then break end
  -- Each by itself: one that is malformed ends no other's look.
  if not readable(id) then
    set_aside(id)
  elseif not newer(id) then
    seen = seen + 1
    if not pcall(look, id) then set_aside(id) end
  end
end

-- Messages only wake: a queue that has jobs which are due, and no message left, gets one for each
-- of the first, whatever became of their own. So no more messages lie there than jobs.
for _, queue in ipairs(QUEUES) do
  local due = redis.call('ZRANGEBYSCORE', P .. ':queue:' .. queue, '-inf', EXACT, 'LIMIT', 0,
    10 * WOKEN)
  if #due > 0 and redis.call('LLEN', P .. ':' .. queue) == 0
    and redis.call('SET', P .. ':woken:' .. queue, '1', 'NX', 'PX', WAKE_PAUSE) then
    local told, woken = {}, 0
    for _, message in ipairs(publish) do told[message[1]] = true end
    for _, id in ipairs(due) do
      if woken == WOKEN then break end
      if not readable(id) then
        set_aside(id)
      elseif not field(id, 'state') then
        redis.call('ZREM', P .. ':queue:' .. queue, id)
      elseif not newer(id) then
        woken = woken + 1
        if not told[id] then table.insert(publish, { id, queue }) end
      end
    end
  end
end

-- What is worked on is counted by these; an older release, which knows none, takes none out.
for _, id in ipairs(redis.call('HKEYS', P .. ':held')) do
  if not (readable(id) and HELD[field(id, 'state') or '']) then redis.call('HDEL', P .. ':held', id) end
end

return { publish, lost, unclosed() }
