"""mindcorpus on chats, merge and both formats: `python -m bench.chat_job IN OUT`."""

from __future__ import annotations

from bench.one_source import main

NAME = "Chats"
_ENTRY = """\
adapter = "messages"
type = "conversation"

[source.options]
messages = "messages"
"""

if __name__ == "__main__":
    main("bench.chat_job", __doc__, NAME, _ENTRY)
