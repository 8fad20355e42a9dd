"""A source before it is one: what its files hold, what a merge would make of them, its entry."""
