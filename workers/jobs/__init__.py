"""Jobs in Redis: how one is handed in, held, counted and ended; each transition a script."""
