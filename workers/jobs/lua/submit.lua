-- ARGV: id, record (JSON), content key, idempotency key or '', digest of the body, most that may
-- wait, parts (JSON), who asks, its label or '', whom to call at its end or ''. Gives {outcome, id,
-- what to publish}.
local id, record, content_key, key, body = ARGV[1], cjson.decode(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local most, parts = tonumber(ARGV[6]), cjson.decode(ARGV[7])
local keys_kept = 86400
local remembered = P .. ':idempotency:' .. key

if redis.call('EXISTS', job_key(id)) == 1 then
  -- The same call once more: its answer was lost, and nothing was published.
  local publish = {}
  for _, part in ipairs(redis.call('SMEMBERS', P .. ':pending:' .. id)) do
    table.insert(publish, { part, 'part' })
  end
  if #parts == 0 then table.insert(publish, { id, field(id, 'queue') }) end
  return { 'created', id, publish }
end

if key ~= '' then
  local known = redis.call('HMGET', remembered, 'job', 'body')
  if known[1] then
    if known[2] ~= body then return { 'reused', '', {} } end
    -- Also where its job was forgotten: what a key stands for is done once.
    local there = redis.call('EXISTS', job_key(known[1])) == 1
    return { there and 'repeated' or 'forgotten', known[1], {} }
  end
end

local function remember(job)
  if key == '' then return end
  redis.call('HSET', remembered, 'job', job, 'body', body)
  redis.call('EXPIRE', remembered, keys_kept)
end

-- A list of its own for each owner and label; what is forgotten leaves those it stands in.
local function enter(job, list)
  redis.call('ZADD', P .. ':' .. list, field(job, 'place'), job)
  redis.call('SADD', P .. ':lists:' .. job, list)
end

local function join(job, who, label)
  redis.call('SADD', P .. ':holders:' .. job, who)
  if who == '' or newer(job) then return end
  enter(job, 'owner:' .. who)
  if who ~= field(job, 'asked_by') then
    local joined = cjson.decode(field(job, 'joined_by') or '[]')
    for _, known in ipairs(joined) do
      if known == who then who = nil end
    end
    table.insert(joined, who)
    set(job, 'joined_by', cjson.encode(joined))
  end
  if label == '' or label == field(job, 'label') then return end
  local labels = cjson.decode(field(job, 'joined_labels') or '{}')
  labels[ARGV[8]] = label
  set(job, 'joined_labels', cjson.encode(labels))
  enter(job, 'label:' .. label)
end

local flying = redis.call('GET', P .. ':flight:' .. content_key)
if flying then
  local state = readable(flying) and field(flying, 'state')
  if state and not TERMINAL[state] and field(flying, 'cancel') ~= '1' then
    if not call_back(flying, ARGV[10]) then return { 'crowded', flying, {} } end
    remember(flying)
    join(flying, ARGV[8], ARGV[9])
    return { 'joined', flying, {} }
  end
end
if redis.call('ZCARD', P .. ':jobs:queued') >= most then return { 'full', '', {} } end

local publish = {}
create(id, record)
set(id, 'content_key', content_key, 'parent', '')
-- After all that are there, also where the clock was set back.
local newest = tonumber(redis.call('ZRANGE', P .. ':jobs', -1, -1, 'WITHSCORES')[2]) or 0
set(id, 'place', text(math.max(clock[1] * 1000000 + clock[2], newest + 1)))
redis.call('ZADD', P .. ':jobs', field(id, 'place'), id)
redis.call('SET', P .. ':flight:' .. content_key, id)
redis.call('ZADD', P .. ':live:' .. field(id, 'kind'), field(id, 'place'), id)
redis.call('SADD', P .. ':holders:' .. id, ARGV[8])
if ARGV[8] ~= '' then enter(id, 'owner:' .. ARGV[8]) end
if ARGV[9] ~= '' then enter(id, 'label:' .. ARGV[9]) end
call_back(id, ARGV[10])
if #parts > 0 then
  set(id, 'step', 'parts', 'queue', 'finalise', 'parts', 0, 'parts_done', 0)
  move(id, 'queued')
  look_at(id, NOW + PARTS_PAUSE)
  for _, part in ipairs(parts) do
    source_set(id, part.source, 'state', 'queued')
    create_part(id, part, publish)
  end
else
  set(id, 'step', 'run')
  enqueue(id, NOW)
  table.insert(publish, { id, field(id, 'queue') })
end
remember(id)
return { 'created', id, publish }
