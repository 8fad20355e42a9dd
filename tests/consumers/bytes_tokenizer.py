"""A tokenizer that needs no model: a token a byte, and a chat template that is all marks."""

from __future__ import annotations

from functools import cache
from typing import Any

START = "<|im_start|>"
END = "<|im_end|>"
# A text beside calls is a turn before them, as `reading` tells it.
_TEMPLATE = (
    "{% for message in messages %}"
    f"{START}{{{{ message['role'] }}}}\n{{{{ message['content'] or '' }}}}{END}"
    "{% if message['tool_calls'] %}"
    f"{START}call\n{{{{ message['tool_calls'] | tojson }}}}{END}"
    "{% endif %}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{START}assistant\n{{% endif %}}"
)


@cache
def tokenizer() -> Any:
    """Make it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: number for number, character in enumerate(alphabet)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    found = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=START, eos_token=END, pad_token="<|pad|>"
    )
    found.chat_template = _TEMPLATE
    found.clean_up_tokenization_spaces = False
    return found
