"""From the corpus to training formats: which records are taken, the split, and the writing."""
