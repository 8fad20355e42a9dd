-- ARGV: id, fence, lease, progress (JSON) or ''. Gives 'stale', 'cancel', 'deadline' or 'held'.
local id, fence, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(id, fence) then return 'stale' end
set(id, 'lease_until', text(NOW + lease), 'updated', text(NOW))
look_at(id, NOW + lease)
-- Of what is not wanted any more nothing is told: a merge that is over has had its last event.
if unwanted(id) then return 'cancel' end

if ARGV[4] ~= '' then
  local now = cjson.decode(ARGV[4])
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
  else
    set(id, 'item', now.item, 'rows', text(now.rows), 'done', text(now.done), 'note', now.note)
    if now.total ~= cjson.null then
      set(id, 'total', text(now.total))
    else
      redis.call('HDEL', job_key(id), 'total')
    end
    if now.rows_total ~= cjson.null then
      set(id, 'rows_total', text(now.rows_total))
    else
      redis.call('HDEL', job_key(id), 'rows_total')
    end
  end
  local turned = field(shown, 'stage') ~= stage
  if turned then
    set(shown, 'stage', stage, 'began', text(NOW), 'base', text(number(shown, 'done')))
  end
  set(shown, 'updated', text(NOW))
  if turned or NOW - number(shown, 'emitted') >= EVENT_PAUSE then emit(shown, event) end
end

if number(id, 'deadline_at') <= NOW then return 'deadline' end
return 'held'
