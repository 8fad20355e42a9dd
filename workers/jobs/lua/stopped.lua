-- ARGV: id, fence. The job's process has ended as it was asked to. Gives 'stale' or 'done'.
if not holds(ARGV[1], ARGV[2]) then return 'stale' end
cancelled(ARGV[1])
return 'done'
