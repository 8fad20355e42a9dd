"""A service from Python: its jobs, their events, what they made. It knows no corpus."""
