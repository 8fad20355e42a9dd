"""Reads as Mistral's fine-tuning checks do: its request types and its newest validator."""

from __future__ import annotations

import json
from pathlib import Path

import reading
from mistral_common.protocol.instruct.messages import (
    FinetuningAssistantMessage,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV13, ValidationMode

_Message = UserMessage | SystemMessage | FinetuningAssistantMessage | ToolMessage


def _folder(folder: Path) -> reading.Files:
    found: reading.Files = {}
    for name in reading.files_in(folder):
        rows = []
        for line in (folder / name).read_text("utf-8").splitlines():
            request = ChatCompletionRequest[_Message](**json.loads(line))
            MistralRequestValidatorV13(mode=ValidationMode.finetuning).validate_request(request)
            messages = [each.model_dump(exclude_none=True) for each in request.messages]
            rows.append(reading.row({"messages": messages}))
        found[name] = rows
    return found


if __name__ == "__main__":
    reading.read_all({"*": _folder})
