"""The training formats: one module each, their registry, and the rules of a provider."""
