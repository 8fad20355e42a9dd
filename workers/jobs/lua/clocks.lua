-- Redis' clock may be set back, by an hour or a day. What then lies further ahead than it was ever
-- put is brought back; what lies where it was put is left.

-- When a job that is not over is to be looked at, as its own record has it.
local function clamp_look(id, lease, deadline)
  if not readable(id) or newer(id) then return end
  local state, latest = field(id, 'state'), NOW
  if HELD[state] then
    -- A worker may have been given a longer lease than this sweeper knows.
    lease, deadline = math.max(number(id, 'lease'), lease), math.max(number(id, 'deadline'), deadline)
    if number(id, 'lease_until') > NOW + lease then set(id, 'lease_until', text(NOW + lease)) end
    if number(id, 'deadline_at') > NOW + deadline then
      set(id, 'deadline_at', text(NOW + deadline))
    end
    latest = number(id, 'lease_until')
  elseif field(id, 'step') == 'parts' then
    latest = NOW + PARTS_PAUSE
  else
    latest = math.max(number(id, 'not_before'), NOW) + QUEUED_PAUSE
  end
  if tonumber(redis.call('ZSCORE', P .. ':active', id)) > latest then look_at(id, latest) end
end

-- When a job of a queue is due: in a pause that it was given, or now. What is due goes before all
-- that came since, in the order in which it stood.
local function clamp_queue(queue)
  local key = P .. ':queue:' .. queue
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  local place = math.min(first or 0, tonumber(EXACT))
  for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', key, '+inf', '(' .. EXACT, 'LIMIT', 0,
    AT_ONCE)) do
    if readable(id) and field(id, 'state') and not newer(id) then
      local due = number(id, 'not_before')
      -- An older release noted no pause.
      local unknown = due > number(id, 'line') + 1000 and QUEUED_PAUSE or 0
      local pause = tonumber(field(id, 'pause') or '') or unknown
      if due > NOW + pause then
        due = NOW + pause
        set(id, 'not_before', text(due))
      end
      if number(id, 'line') > NOW or due <= NOW then
        place = place - 0.001
        set(id, 'line', string.format('%.3f', place))
      end
      redis.call('ZADD', key, due > NOW and text(due) or field(id, 'line'), id)
    end
  end
end

-- When a call at a job's end is made: in the pause that it was given.
local function clamp_calls()
  local key = P .. ':webhooks'
  for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', key, '+inf', '(' .. text(NOW), 'LIMIT', 0,
    AT_ONCE)) do
    local pause = tonumber(redis.call('HGET', P .. ':webhook:' .. id, 'pause') or '') or 0
    if tonumber(redis.call('ZSCORE', key, id)) > NOW + pause then
      redis.call('ZADD', key, text(NOW + pause), id)
    end
  end
end

local function clamp(lease, deadline)
  clamp_calls()
  for _, queue in ipairs(QUEUES) do
    clamp_queue(queue)
    local woken = P .. ':woken:' .. queue
    if redis.call('PTTL', woken) > WAKE_PAUSE then redis.call('DEL', woken) end
  end
  -- From both ends: the nearest are held, or were; the furthest are wrong, if any is.
  local active, from = P .. ':active', '(' .. text(NOW + lease)
  for _, ids in ipairs({ redis.call('ZRANGEBYSCORE', active, from, '+inf', 'LIMIT', 0, AT_ONCE),
    redis.call('ZREVRANGEBYSCORE', active, '+inf', from, 'LIMIT', 0, AT_ONCE) }) do
    for _, id in ipairs(ids) do pcall(clamp_look, id, lease, deadline) end
  end
  local workers = P .. ':workers'
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', workers, '(' .. text(NOW), '+inf')) do
    redis.call('ZADD', workers, text(NOW), name)
  end
end
