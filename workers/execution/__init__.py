"""A job being done: who supervises, the process that works, the steps it takes, how it fails."""
