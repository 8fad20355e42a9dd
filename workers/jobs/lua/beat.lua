-- ARGV: id, fence, lease, progress (JSON) or ''. Gives 'stale', 'cancel', 'deadline' or 'held'.
local id, fence, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(id, fence) then return 'stale' end
set(id, 'lease_until', text(NOW + lease), 'updated', text(NOW))
look_at(id, NOW + lease)
-- Of what is not wanted any more nothing is told: a merge that is over has had its last event.
if unwanted(id) then return 'cancel' end

tell(id, ARGV[4])

if number(id, 'deadline_at') <= NOW then return 'deadline' end
return 'held'
