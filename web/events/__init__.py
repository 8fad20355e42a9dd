"""A job's events as a client hears them."""
