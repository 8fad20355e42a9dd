"""The service measured as it runs in production: gunicorn, Celery workers and Redis, for real."""
