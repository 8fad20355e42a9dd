"""Sources that are added over HTTP: what may be, looked at first, and into the catalogue of all."""
