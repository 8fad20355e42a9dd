"""What the commands of `mindcorpus.cli` do: they call the library and show what it gives."""
