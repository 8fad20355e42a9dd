"""Chat JSON lines in a train and a validation file: the lines of the OpenAI format, split."""

from __future__ import annotations

from mindcorpus.formats.openai import ChatLinesFormat


class Chat(ChatLinesFormat):
    """A folder with a file for each part."""


FORMAT = Chat
