-- ARGV: id, fence, result (JSON), new parts (JSON), source state, source size or '', the
-- last progress (JSON) or '', the result in short (JSON). Gives {'stale'} or {'done'}, then what to
-- publish.
local id, fence, result, parts = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local source_state, size = ARGV[5], ARGV[6]
local publish = {}
if not holds(id, fence) then
  -- The same call once more: its answer was lost.
  local again = field(id, 'fence') == fence and field(id, 'state') == 'succeeded'
  return { again and 'done' or 'stale', publish }
end
local parent = parent_of(id)
if parent == '' then
  redis.call('HDEL', job_key(id), 'committed')
  tell(id, ARGV[7])
  finish(id, 'succeeded', nil, result, ARGV[8])
  return { 'done', publish }
end
if unwanted(id) then
  cancelled(id)
  return { 'done', publish }
end
if is_write(id) then
  tell(id, ARGV[7])
  finish(id, 'succeeded', nil, result)
  redis.call('SREM', P .. ':pending:' .. parent, id)
  gather(parent, publish)
  return { 'done', publish }
end
local name = field(id, 'name')
-- With the end, not before it: what is counted is what was done, whatever became of the beats.
tell(id, ARGV[7])
finish(id, 'succeeded', nil, result)
for _, part in ipairs(parts) do create_part(parent, part, publish) end
redis.call('SREM', P .. ':pending:' .. parent, id)
source_add(parent, name, 'parts_done', 1)
redis.call('HINCRBY', job_key(parent), 'parts_done', 1)
if size ~= '' then know_size(parent, name, size) end
local of = tonumber(redis.call('HGET', sources_key(parent), name .. '|parts')) or 0
local done = tonumber(redis.call('HGET', sources_key(parent), name .. '|parts_done')) or 0
if source_state ~= '' then
  source_set(parent, name, 'state', source_state)
elseif done >= of then
  source_set(parent, name, 'state', 'done')
end
gather(parent, publish)
return { 'done', publish }
