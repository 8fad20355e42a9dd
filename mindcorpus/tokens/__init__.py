"""Lengths in tokens: tokenizers that work offline, what a chat counts, and lengths summed up."""
