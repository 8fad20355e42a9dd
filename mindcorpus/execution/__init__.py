"""How a job's work is spread over processes of one machine, and how these end."""
