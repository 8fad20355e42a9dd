"""A published corpus, read: its records, their lineage, and what is known without their text."""
