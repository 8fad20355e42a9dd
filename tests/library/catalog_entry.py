"""A catalogue entry that is right, for tests to spoil."""

from __future__ import annotations

LICENCE = '[source.licence]\nid = "MIT"\nterms = "Keep the notice."\ncommercial = "yes"\n'
ENTRY = f"""
[[source]]
name = "own"
repository = "me/mine"
type = "talk"
tags = ["a"]
[[source.files]]
path = "rows.csv"
[source.options]
input = "q"
response = "a"
{LICENCE}"""
