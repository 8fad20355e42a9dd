"""The training formats: one module each, and the registry that says which there are."""
