"""Building: a corpus and its training formats in one go."""
