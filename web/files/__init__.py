"""Artifacts as they are sent: which there are, in ranges, as archives, or not changed."""
