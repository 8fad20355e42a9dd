-- ARGV: id, its result in short (JSON) or ''. Ends what an older release left at its end as it was.
-- Gives 'done', or 'other' for what is not over.
if not TERMINAL[field(ARGV[1], 'state') or ''] then return 'other' end
if not redis.call('ZSCORE', P .. ':ended', ARGV[1]) then close(ARGV[1], ARGV[2]) end
return 'done'
