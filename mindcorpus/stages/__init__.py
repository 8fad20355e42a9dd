"""What becomes of a row between adapter and corpus: one module a stage, and their registry."""
