"""From the sources' files to the corpus: parts, the plan over them, the files, the account."""
