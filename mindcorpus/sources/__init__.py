"""The sources: a catalogue entry to files on this disk, files to raw rows, raw rows to records."""
