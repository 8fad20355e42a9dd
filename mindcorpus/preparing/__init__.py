"""From the corpus to training formats: one module a format, the split, and the provider's rules."""
