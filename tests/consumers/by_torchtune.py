"""Reads chats with torchtune's `OpenAIToMessages`."""

from __future__ import annotations

import json
from pathlib import Path

import reading
from stand_in import package_without_its_start, stand_in

stand_in(
    "torch", "torchdata", "torchvision", "datasets", "PIL", "torchtune.utils", "torchtune.modules"
)
package_without_its_start("torchtune")
package_without_its_start("torchtune.data")


def _folder(folder: Path) -> reading.Files:
    from torchtune.data._messages import OpenAIToMessages

    found: reading.Files = {}
    for name in reading.files_in(folder):
        rows = []
        for line in (folder / name).read_text("utf-8").splitlines():
            value = json.loads(line)
            messages = OpenAIToMessages()(value)["messages"]
            rows.append(reading.row({"messages": [_plain(each) for each in messages]}))
        found[name] = rows
    return found


def _plain(message: object) -> dict[str, str]:
    return {"role": message.role, "content": message.text_content}  # type: ignore[attr-defined]


if __name__ == "__main__":
    reading.read_all({"*": _folder})
