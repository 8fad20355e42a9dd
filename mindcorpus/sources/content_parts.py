"""A turn's content in parts: texts are joined, and what is no text drops the row by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindcorpus.sources.adapters import Wrong

_IMAGE, _AUDIO, _VIDEO, _FILE = "image-content", "audio-content", "video-content", "file-content"
#: What a part of each kind holds that a corpus of texts cannot keep.
_KINDS = {
    **dict.fromkeys(("image", "image_url", "input_image", "image_file"), _IMAGE),
    **dict.fromkeys(("audio", "audio_url", "input_audio"), _AUDIO),
    **dict.fromkeys(("video", "video_url", "input_video"), _VIDEO),
    **dict.fromkeys(("file", "input_file", "document", "attachment"), _FILE),
}
#: The keys, of a turn or beside the messages, under which such things stand.
ATTACHMENTS: Mapping[str, str] = {
    **dict.fromkeys(("image", "images"), _IMAGE),
    **dict.fromkeys(("audio", "audios"), _AUDIO),
    **dict.fromkeys(("video", "videos"), _VIDEO),
    **dict.fromkeys(("file", "files", "attachments"), _FILE),
}
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def refuse_attachments(key: str, value: Any, where: str) -> None:
    """Raise `Wrong` for a key that holds pictures, sound or files; an empty one holds none."""
    if key in ATTACHMENTS and value not in (None, "", [], {}):
        raise Wrong(ATTACHMENTS[key], f"{where} has {key!r}")


def is_part(content: Any) -> bool:
    """Tell whether something is a part of a content, or a list of such."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and (isinstance(first.get("type"), str) or _bare(first))


def content_of_parts(at: int, content: Any, changes: dict[str, None]) -> str | None:
    """Give the texts of a turn's parts as one; raises `Wrong` for a part that is no text."""
    parts = content if isinstance(content, list) else [content]
    texts = [_text_of(at, part) for part in parts]
    if len(texts) > 1:
        changes["content-parts-joined"] = None
    return "\n\n".join(texts) if texts else None


def _text_of(at: int, part: Any) -> str:
    if isinstance(part, str):
        return part
    given = {}
    if isinstance(part, dict):
        given = {key: value for key, value in part.items() if value is not None}
    kind = given.get("type", "text" if _bare(given) else None)
    if isinstance(kind, str) and isinstance(text := given.get(_TEXTS.get(kind, "")), str):
        return text
    found = _KINDS.get(kind) if isinstance(kind, str) else None
    found = found or next((_KINDS[key] for key in given if key in _KINDS), None)
    raise Wrong(found or "unknown-content", f"message {at} holds a part that is no text")


def _bare(part: Mapping[str, Any]) -> bool:
    """Tell whether a part says nothing but a text."""
    return [key for key, value in part.items() if value is not None] == ["text"]
