"""Words that a registry knows, as types of schemas: what is registered is taken, and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import CoreSchema, core_schema

from mindcorpus.formats.registry import FORMATS, choices
from mindcorpus.storage.kinds import KINDS

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


class _Known:
    """One of some words, looked up when a value or the schema is asked for."""

    def __init__(self, words: Callable[[], tuple[str, ...]]) -> None:
        self._words = words

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self._words())}

    def _check(self, value: str) -> str:
        words = self._words()
        if value not in words:
            *others, last = (repr(word) for word in words)
            raise ValueError(f"Input should be {', '.join(others)} or {last}")
        return value


FormatName = Annotated[str, _Known(lambda: tuple(FORMATS))]
FormatChoice = Annotated[str, _Known(choices)]
KindName = Annotated[str, _Known(lambda: tuple(KINDS))]
