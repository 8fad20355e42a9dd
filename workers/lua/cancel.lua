-- ARGV: id. Gives 'missing', 'late' (it is over, or publishes), or 'done'.
local id = ARGV[1]
local state = field(id, 'state')
if not state or parent_of(id) ~= '' then return 'missing' end
if state == 'cancelled' then return 'done' end
if TERMINAL[state] or field(id, 'committed') == '1' then return 'late' end
if state == 'cancelling' then return 'done' end
set(id, 'cancel', 1)
if HELD[state] then
  move(id, 'cancelling')
else
  finish(id, 'cancelled')
  cancel_parts(id)
end
return 'done'
