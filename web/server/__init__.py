"""The web server's process: gunicorn keeps it running, waitress talks to the clients."""
