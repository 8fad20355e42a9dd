"""What the commands of `mindcorpus.cli.main` do: they call the library and show what it gives."""
