"""Text to token ids, with a bundle's own tokenizer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import tokenizers

from vitrine.bundle import Bundle
from vitrine.errors import FailedPrecondition

TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of one text, special tokens included, and how many were cut to make it fit."""

    ids: list[int]
    dropped: int = 0


class Tokenizer:
    """A bundle's tokenizer. Give it normalised text; CPU work: call it through `ComputeBudget.run`."""

    def __init__(self, bundle: Bundle) -> None:
        # Its own thread pool would be a second one beside the compute budget's, and does not survive a fork.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        path = bundle.path(TOKENIZER_FILE)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:
            raise FailedPrecondition(f"{path} is not a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._special = self._tokenizer.encode("").ids
        if len(self._special) not in (1, 2) or self._tokenizer.encode("a").ids[-1] != self._special[-1]:
            raise FailedPrecondition(
                f"{path} puts {len(self._special)} special tokens around a text; one after it is needed, and one before"
                " it may be"
            )

    @property
    def opening(self) -> list[int]:
        """Ids of the tokens before a text: one, or with T5 and GPT none."""
        return self._special[:-1]

    @property
    def closing(self) -> int:
        """Id of the token after a text."""
        return self._special[-1]

    def content_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens, uncut."""
        # encode_batch lets other Python threads run meanwhile; encode does not.
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[Tokens]:
        """Tokens of each text between the special ones, cut at its end to `max_tokens` in all."""
        room = max_tokens - len(self._special)
        return [
            Tokens([*self.opening, *ids[:room], self.closing], max(0, len(ids) - room))
            for ids in self.content_ids(texts)
        ]
