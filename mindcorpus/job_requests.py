"""What a merge or a prepare is asked for: each option once, with its words, bounds and flag.

The models are what travels: the body of the API and its OpenAPI document, the client's JSON, the
job's record, and the settings that a manifest names are made of their fields. The options of the
command line stand in `cli.options`, where a test holds them to these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mindcorpus.errors import SettingsError
from mindcorpus.tokens.tokenizer import default_tokenizer

EVERY = "*"

Name = Annotated[str, Field(min_length=1, max_length=200)]
# Lists will do where tuples are meant: JSON has no other.
Names = Annotated[tuple[Name, ...], Field(max_length=1000, strict=False)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]


def _printable(text: str) -> str:
    if not text.isprintable() or text.isspace():
        raise ValueError("it must be printable characters, without any that steer what is shown")
    return text


Share = Annotated[float, Field(ge=0, le=1)]
Label = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]
Address = Annotated[str, Field(min_length=1, max_length=2000)]


SystemPolicy = Literal["own", "replace", "none"]
OverLength = Literal["drop", "cut-turns", "keep"]
#: A source's records may stand ten times in a mixture: who wants more repeats what little there is.
Factor = Annotated[float, Field(ge=0.001, le=10, allow_inf_nan=False)]


class Flag(str):
    """The option of the command line that stands for a field."""

    __slots__ = ()


class _Request(BaseModel):
    # Strict: a field that is not here is refused, and "true" is not true.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    #: Fields that the first release did not have.
    _later: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Make a request of values that a person gave; raises `SettingsError` naming the field."""
        try:
            return cls(**given)
        except ValidationError as error:
            wrong = error.errors()[0]
            field = ".".join(str(part) for part in wrong["loc"])
            message = wrong["msg"].removeprefix("Value error, ")
            raise SettingsError(
                f"{field or 'the request'}: {message[:1].lower()}{message[1:]}", field=field or None
            ) from None

    def given(self) -> dict[str, Any]:
        """Give what it says beyond the defaults, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def lasting(self) -> dict[str, Any]:
        """Give all that it says as JSON values, as each release says the same request.

        A field that came later is there only where it says something: what was kept before, as a
        digest, stays true, and an older release can read it.
        """
        values = self.model_dump(mode="json")
        unsaid = set(self._later) - set(self.given())
        return {name: value for name, value in values.items() if name not in unsaid}

    @classmethod
    def in_full(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give what `lasting` gave with what it left unsaid; nothing stays nothing."""
        unsaid = cls().model_dump(mode="json", include=set(cls._later))
        return {**unsaid, **values} if values else {}


class MergeBody(_Request):
    """Which sources to merge; {} merges all of the catalogue, unless there is a corpus."""

    _later: ClassVar[tuple[str, ...]] = ("stages", "allow_loss", "rehash")

    force: Annotated[bool, Flag("--force")] = Field(
        default=False, description="Replace the corpus if there is one."
    )
    sources: Annotated[Names | None, Flag("--source")] = Field(
        None, min_length=1, description="Names to merge; null: all of the catalogue."
    )
    exclude: Annotated[Names, Flag("--exclude")] = Field((), description="Names to leave out.")
    allow_missing: Annotated[bool, Flag("--allow-missing")] = Field(
        default=False, description="Publish without the sources that fail, and say so."
    )
    commercial_only: Annotated[bool, Flag("--commercial-only")] = Field(
        default=False, description="Leave out sources that no product may be built on."
    )
    sample: Annotated[bool, Flag("--sample")] = Field(
        default=False, description="Use the shipped synthetic sample, not the sources."
    )
    options: Annotated[dict[Name, Annotated[str, Field(max_length=1000)]], Flag("--option")] = (
        Field({}, max_length=100, description="`NAME.key` -> value, NAME a source or a row stage.")
    )
    revisions: Annotated[dict[Name, Name], Flag("--revision")] = Field(
        {}, max_length=100, description="Source -> commit, tag or branch to read it at."
    )
    upgrade: Annotated[Names, Flag("--upgrade")] = Field(
        (), description='Sources whose lock is moved; ["*"]: all.'
    )
    stages: Annotated[Names | None, Flag("--stage")] = Field(
        None, description="Row stages to run; null: those that are on by themselves."
    )
    allow_loss: Annotated[dict[Name, Share], Flag("--allow-loss")] = Field(
        {},
        max_length=100,
        description="Source -> share of its rows that it may lose, where that is meant.",
    )
    rehash: Annotated[bool, Flag("--rehash")] = Field(
        default=False,
        description="Read files anew that seem to be as they were, and write the corpus anew.",
    )


class Order(_Request):
    """A request as it is handed in: the work, and what is said beside it, which changes nothing."""

    label: Label | None = Field(
        None, description="A name of your own for the job, to find it by; no part of the work."
    )
    callback_url: Address | None = Field(
        None,
        description="Address that is called when the job ends, of a host that the operator lists.",
    )

    def work(self) -> dict[str, Any]:
        """Give the fields that say what is to be done, as they are."""
        return {name: value for name, value in self if name not in Order.model_fields}

    def lasting(self) -> dict[str, Any]:
        """Give all of the work, and nothing of what is said beside it."""
        said = super().lasting()
        return {name: value for name, value in said.items() if name not in Order.model_fields}


class MergeRequest(MergeBody):
    """Which sources to merge, where they come from, and what may be replaced.

    The fields beside those of `MergeBody` name files of this machine, and never come over HTTP.
    """

    _later = ("stages", "allow_loss", "rehash", "added")

    catalogs: Annotated[tuple[str, ...], Flag("--catalog")] = Field(
        (), strict=False, description="Catalogue files with sources of the user's own."
    )
    paths: Annotated[dict[Name, str], Flag("--path")] = Field(
        {}, description="Source -> the file or folder to read it from."
    )
    added: Names = Field((), description="Entries of the data folder's own that count, by name.")


#: The fields of a request that name files of this machine.
LOCAL = tuple(sorted(set(MergeRequest.model_fields) - set(MergeBody.model_fields)))


class PrepareRequest(_Request):
    """Which training formats to make, of which records; {} makes `all` of all records."""

    _later = (
        *("formats", "system_policy", "sources", "tags", "min_words", "max_words", "mix"),
        *("max_tokens", "over_length", "tokenizer", "test_share", "folds"),
    )

    format: str = Field("all", description="A format's name, or `all`: those of the guide.")
    formats: Annotated[Names, Flag("NAME")] = Field(
        (), description="Several formats, by name, instead of `format`."
    )
    force: Annotated[bool, Flag("--force")] = Field(
        default=False, description="Replace formats that are there."
    )
    sources: Annotated[Names, Flag("--source")] = Field(
        (), description="Sources to take; none: all."
    )
    exclude: Annotated[Names, Flag("--exclude")] = Field((), description="Sources to leave out.")
    types: Annotated[Names, Flag("--type")] = Field((), description="Types to take; none: all.")
    tags: Annotated[Names, Flag("--tag")] = Field(
        (), description="Tags of which a record must have one; none: any record."
    )
    min_words: Annotated[int | None, Flag("--min-words")] = Field(
        None, ge=1, le=2**31 - 1, description="Least words of an answer."
    )
    max_words: Annotated[int | None, Flag("--max-words")] = Field(
        None, ge=1, le=2**31 - 1, description="Most words of an answer."
    )
    max_tokens: Annotated[int | None, Flag("--max-tokens")] = Field(
        None, ge=1, le=2**31 - 1, description="Most tokens of a record, all its messages together."
    )
    over_length: Annotated[OverLength | None, Flag("--over-length")] = Field(
        None,
        description="What becomes of records with more tokens: `drop`, `cut-turns` (the last turns "
        "of a conversation, up to an answer that fits) or `keep`; null: `drop`.",
    )
    tokenizer: Annotated[Name | None, Flag("--tokenizer")] = Field(
        None,
        description="What counts tokens; null: an estimate, or, with `max_tokens`, `o200k` where "
        "the extra `tokens` is installed.",
    )
    caps: Annotated[dict[Name, Annotated[int, Field(ge=0, le=2**53 - 1)]], Flag("--cap")] = Field(
        {}, max_length=1000, description="Source -> at most so many records."
    )
    mix: Annotated[dict[Name, Factor], Flag("--mix")] = Field(
        {},
        max_length=1000,
        description="Source -> factor: 0.5 takes a half, 2 each training record twice.",
    )
    seed: Annotated[int | None, Flag("--seed")] = Field(
        None,
        ge=0,
        le=2**32 - 1,
        description="Seed of samples and split; null: that of the corpus' split.",
    )
    system_prompt: Annotated[Text | None, Flag("--system-prompt")] = Field(
        None, description="System message of OpenAI examples."
    )
    system_policy: Annotated[SystemPolicy | None, Flag("--system-policy")] = Field(
        None,
        description="What becomes of records' own system turns: `own` keeps them, `replace` puts "
        "the system message in their place, `none` writes none; null: `replace` where "
        "`system_prompt` is given, else `own`.",
    )
    instruction: Annotated[Text | None, Flag("--instruction")] = Field(
        None, description="Instruction of Hugging Face examples."
    )
    validation_share: Annotated[float | None, Flag("--validation-share")] = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the corpus' records for validation; null: that of its split.",
    )
    test_share: Annotated[float | None, Flag("--test-share")] = Field(
        None,
        ge=0,
        lt=1,
        description="Share of the corpus' records for a test part; null: that of its split.",
    )
    folds: Annotated[int | None, Flag("--folds")] = Field(
        None,
        ge=0,
        le=1000,
        description="Folds for cross-validation, 0 for none; null: as its split has.",
    )

    @model_validator(mode="after")
    def _one_word_for_it(self) -> Self:
        if self.formats and self.format != "all":
            raise ValueError("give `format` or `formats`, not both")
        if self.min_words and self.max_words and self.min_words > self.max_words:
            raise ValueError("`min_words` is more than `max_words`")
        if self.over_length is not None and self.max_tokens is None:
            raise ValueError("`over_length` says what becomes of records over `max_tokens`")
        if (self.validation_share or 0) + (self.test_share or 0) >= 1:
            raise ValueError("`validation_share` and `test_share` leave nothing to train on")
        if self.folds == 1:
            raise ValueError("`folds` must be 0, for none, or 2 and more")
        return self

    def with_defaults(self, defaults: Mapping[str, Any]) -> Self:
        """Give the same request with what it leaves open filled in: prompts, policy, tokenizer.

        A prompt that is given here is meant for all records; that of the settings is not. What
        the split is like stays open: the corpus may have one.
        """
        open_ = {name: defaults[name] for name in DEFAULTED if getattr(self, name) is None}
        if self.system_policy is None:
            open_["system_policy"] = "own" if self.system_prompt is None else "replace"
        if self.max_tokens is not None and self.tokenizer is None:
            open_["tokenizer"] = default_tokenizer()
        if self.over_length == "drop":
            open_["over_length"] = None  # as it is without a word
        return self.model_copy(update=open_)

    def for_record(self) -> Self:
        """Give a request with its defaults as a job's record has it, and every release reads it.

        There is no word for `own` in it: that is what there was when there was no policy.
        """
        own = self.system_policy == "own"
        return self.model_copy(update={"system_policy": None}) if own else self

    def from_record(self) -> Self:
        """Give the request that `for_record` made this of."""
        return self.model_copy(update={"system_policy": self.system_policy or "own"})


#: The fields of a prepare whose defaults are settings.
DEFAULTED = ("system_prompt", "instruction")
#: Those that say how the corpus is split; what they leave open its split says, or the settings.
SPLITTING = ("seed", "validation_share", "test_share", "folds")
#: Those that say which records a format takes.
SELECTING = (
    *("sources", "exclude", "types", "tags", "min_words", "max_words"),
    *("max_tokens", "over_length", "tokenizer", "caps", "mix"),
)
