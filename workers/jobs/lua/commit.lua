-- ARGV: id, fence, lease. From now on the job publishes, and it is too late to cancel it.
-- Gives 'stale', 'cancel' or 'committed'.
local id, fence, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(id, fence) then return 'stale' end
if unwanted(id) then return 'cancel' end
set(id, 'committed', 1, 'lease_until', text(NOW + lease))
look_at(id, NOW + lease)
return 'committed'
