"""Who may do what, how often, and what a browser may do with an answer."""
