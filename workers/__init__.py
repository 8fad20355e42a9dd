"""Jobs: what a merge or a prepare is while it waits, runs, fails, is tried again or ends."""
