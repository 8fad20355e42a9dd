"""The local service: Redis, workers and web server of one machine, started and stopped together."""
