-- ARGV: id, fence, most attempts, error of a job lost too often, pause before its third attempt.
-- Its process died, and somebody saw it. Gives {'stale'} or {'done'}, then what to publish.
local publish = {}
if not holds(ARGV[1], ARGV[2]) then return { 'stale', publish } end
lose(ARGV[1], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), publish)
return { 'done', publish }
