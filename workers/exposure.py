"""The word of warning where others on the machine can read what is kept."""

from __future__ import annotations

import logging

from mindcorpus.privacy import Readers
from mindcorpus.storage.exposure import is_exposed
from workers.settings import ServiceSettings

log = logging.getLogger(__name__)

EXPOSED = "others on this machine can read the data folder"
HINT = "`mindcorpus private` closes it to them; it can name what they can read before."


def warn_if_exposed(settings: ServiceSettings) -> None:
    """Say so in the log."""
    if is_exposed(settings.data_dir, Readers.of(settings.group)):
        log.warning("%s; %s", EXPOSED, HINT)
