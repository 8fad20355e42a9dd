"""The statistics of a corpus as one HTML page of charts."""
