"""The adapter for posts with comments: each effective comment answers its post.

A thread comes as one row a comment (the post repeated), or as one row {post, comments: […]}.
Here a *row read* is a comment, so that each one is accounted for.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mindcorpus.sources.adapters import Kept, look_up, names_of
from mindcorpus.sources.readers import Drop, Row

# The names under which these columns are known; the order is the order of preference.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "post": ("post_text", "selftext", "post", "body", "input", "user"),
    "title": ("post_title", "title"),
    "comment": ("comment_text", "comment", "reply", "response", "assistant", "text", "body"),
    "label": ("label", "effective", "is_effective"),
    "post_id": ("post_id", "thread_id", "submission_id"),
    "score": ("comment_score", "score", "upvotes"),
    "subreddit": ("subreddit",),
    "support_type": ("support_type",),
}
_EFFECTIVE = {"1", "1.0", "true", "yes", "effective"}
_NOT_EFFECTIVE = {"0", "0.0", "false", "no", "ineffective", "not effective", "not_effective"}
_DELETED = {"[deleted]", "[removed]"}


@dataclass(slots=True)
class _Comment:
    number: int
    item: int
    text: str
    effective: bool | None
    score: float | None
    support_type: str
    decoded: bool


@dataclass(slots=True)
class _Thread:
    text: str
    subreddit: str
    decoded: bool
    comments: list[_Comment] = field(default_factory=list)


@dataclass(frozen=True)
class Threads:
    """Posts with comments; an option names a column where the list of known names does not find it.

    It holds the comments of one file at a time (a thread's rows may lie apart), each post once.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    #: Of many comments few stand for a post; those that are gone or empty never could.
    selects: ClassVar[frozenset[str]] = frozenset(
        {"blank-response", "deleted", "not-chosen", "not-effective", "used-as-rejected"}
    )
    post: str = ""
    title: str = ""
    comment: str = ""
    label: str = ""
    post_id: str = ""
    score: str = ""
    subreddit: str = ""
    support_type: str = ""

    @property
    def whole_file(self) -> bool:
        """Yes: the comments of one post may lie apart."""
        return True

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt the rows of one file."""
        threads: dict[Any, _Thread] = {}
        for row in rows:
            if isinstance(row, Drop):
                yield row
            elif not isinstance(row.value, dict):
                yield Drop(
                    row.number,
                    "wrong-type",
                    f"the row is {type(row.value).__name__}, not an object",
                )
            else:
                yield from self._collect(row.number, row.value, threads)
        for thread in threads.values():
            yield from _pair(thread)

    def _collect(
        self, number: int, row: dict[str, Any], threads: dict[Any, _Thread]
    ) -> Iterator[Drop]:
        post, title = self._find(row, "post"), self._find(row, "title")
        nested = row.get("comments")
        items: list[Any] = nested if isinstance(nested, list) else [row]
        if missing := self._missing(row, flat=items is not nested):
            evidence = f"no {missing} column; the row has {names_of(row)}"
            for item in range(max(1, len(items))):
                yield Drop(number, "missing-column", evidence, item)
            return
        if not items:
            yield Drop(number, "no-comment", "the post has no comments")
            return
        if not isinstance(post, str | None) or not isinstance(title, str | None):
            for item in range(len(items)):
                yield Drop(number, "wrong-type", "the post is not text", item)
            return
        text, decoded = _post_text(title or "", post or "")
        # An id may be missing, or not be a post's own: a comment answers the text it came with.
        post_id = self._find(row, "post_id")
        key = str(post_id) if isinstance(post_id, str | int | float) else "", text
        thread = threads.setdefault(
            key, _Thread(text, _plain(self._find(row, "subreddit")), decoded)
        )
        for item, comment in enumerate(items):
            values = comment if isinstance(comment, dict) else {}
            body = comment
            if values is comment:
                body = self._find(values, "comment", flat=values is row)
            if not isinstance(body, str | None):
                yield Drop(
                    number, "wrong-type", f"the comment is {type(body).__name__}, not text", item
                )
                continue
            plain = html.unescape(body or "")
            thread.comments.append(
                _Comment(
                    number,
                    item,
                    plain,
                    _effective(self._find(values, "label")),
                    _number(self._find(values, "score")),
                    _plain(self._find(values, "support_type")),
                    plain != (body or ""),
                )
            )

    def _missing(self, row: Mapping[str, Any], *, flat: bool) -> str:
        if self._column(row, "post") is None and self._column(row, "title") is None:
            return "post"
        return "comment" if flat and self._column(row, "comment", flat=True) is None else ""

    def _find(self, row: Mapping[str, Any], what: str, *, flat: bool = False) -> Any:
        name = self._column(row, what, flat=flat)
        return None if name is None else look_up(row, name)

    def _column(self, row: Mapping[str, Any], what: str, *, flat: bool = False) -> str | None:
        named: str = getattr(self, what)
        if named:
            return named if named in row or look_up(row, named) is not None else None
        # In one row a comment, `body` could be either side, and the post's comes first; within a
        # post's own list of comments it is the comment's.
        taken = self._column(row, "post") if flat and what == "comment" else None
        return next((name for name in _NAMES[what] if name in row and name != taken), None)


def _post_text(title: str, post: str) -> tuple[str, bool]:
    text = "\n\n".join(part for part in (title, post) if part.strip())
    if post.strip() in _DELETED:
        text = post
    plain = html.unescape(text)
    return plain, plain != text


def _plain(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _effective(value: Any) -> bool | None:
    text = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    if text in _EFFECTIVE:
        return True
    return False if text in _NOT_EFFECTIVE else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _pair(thread: _Thread) -> Iterator[Kept | Drop]:
    """Give what becomes of each comment of a thread, in the order of the file."""
    outcomes: dict[int, Kept | Drop] = {}
    usable: list[int] = []
    for at, comment in enumerate(thread.comments):
        if reason := _unusable(thread, comment):
            outcomes[at] = Drop(comment.number, reason, "", comment.item)
        else:
            usable.append(at)
    if any(thread.comments[at].effective is not None for at in usable):
        _by_label(thread, usable, outcomes)
    elif usable:
        _by_score(thread, usable, outcomes)
    for at in range(len(thread.comments)):
        yield outcomes[at]


def _unusable(thread: _Thread, comment: _Comment) -> str:
    if thread.text.strip() in _DELETED or comment.text.strip() in _DELETED:
        return "deleted"
    if not thread.text.strip():
        return "blank-input"
    return "" if comment.text.strip() else "blank-response"


def _by_label(thread: _Thread, usable: list[int], outcomes: dict[int, Kept | Drop]) -> None:
    comments = thread.comments
    spare = [at for at in usable if comments[at].effective is False]
    for at in usable:
        comment = comments[at]
        if comment.effective is None:
            outcomes[at] = Drop(comment.number, "unknown-label", "", comment.item)
        elif comment.effective:
            other = next((it for it in spare if comments[it].text != comment.text), None)
            rejected = ""
            if other is not None:
                spare.remove(other)
                rejected = comments[other].text
                evidence = f"rejected_response of row {comment.number}, item {comment.item}"
                taken = comments[other]
                outcomes[other] = Drop(taken.number, "used-as-rejected", evidence, taken.item)
            outcomes[at] = _record(
                thread, comment, rejected, comments[other] if other is not None else None
            )
    for at in spare:
        outcomes[at] = Drop(comments[at].number, "not-effective", "", comments[at].item)


def _by_score(thread: _Thread, usable: list[int], outcomes: dict[int, Kept | Drop]) -> None:
    """Without labels: the comment with most votes, or the first of those with equal or no votes."""
    comments = thread.comments
    best = max(usable, key=lambda at: (comments[at].score or 0.0, -at))
    for at in usable:
        if at == best:
            outcomes[at] = _record(thread, comments[at], "", None)
        else:
            outcomes[at] = Drop(
                comments[at].number,
                "not-chosen",
                "no label; another comment stands for the post",
                comments[at].item,
            )


def _record(thread: _Thread, comment: _Comment, rejected: str, other: _Comment | None) -> Kept:
    tags = tuple(tag for tag in (thread.subreddit, comment.support_type) if tag)
    decoded = thread.decoded or comment.decoded or (other is not None and other.decoded)
    changed = ("html-entities-decoded",) if decoded else ()
    return Kept(comment.number, thread.text, comment.text, rejected, tags, changed, comment.item)
