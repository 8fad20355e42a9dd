-- ARGV: id, fence, what was planned (JSON: work, code, rows, total, item, from, to), the parts of its
-- writing (JSON). A job's writing is planned: from now on it waits for those who write. Gives
-- {'stale'} or {'done'}, then what to publish.
local id, fence, planned, parts = ARGV[1], ARGV[2], cjson.decode(ARGV[3]), cjson.decode(ARGV[4])
local publish = {}
if not holds(id, fence) then
  -- The same call once more: its answer was lost.
  local again = field(id, 'work') == planned.work and field(id, 'step') == 'write'
  for _, part in ipairs(again and redis.call('SMEMBERS', P .. ':pending:' .. id) or {}) do
    table.insert(publish, { part, 'write' })
  end
  return { again and 'done' or 'stale', publish }
end
if unwanted(id) then
  cancelled(id)
  return { 'done', publish }
end
drop_writes(id)
let_go(id)
-- A step that ended well is no attempt of the next.
set(id, 'step', 'write', 'work', planned.work, 'code', planned.code, 'planned', ARGV[3],
  'attempt', number(id, 'attempt') - 1, 'stage', 'write', 'item', planned.item, 'note', '',
  'rows', 0, 'rows_total', text(planned.rows), 'done', 0, 'total', text(planned.total))
rise(id, planned.from)
mark(id, true)
for _, part in ipairs(parts) do create_write(id, part, planned.code, publish) end
move(id, 'waiting')
look_at(id, NOW + PARTS_PAUSE)
return { 'done', publish }
