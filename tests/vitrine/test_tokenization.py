"""Token ids between a text's special tokens, whatever the family puts there."""

from pathlib import Path

import pytest
import tokenizers
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from vitrine.bundle import Bundle, Manifest
from vitrine.errors import FailedPrecondition
from vitrine.tokenization import Tokenizer, Tokens

_WORDS = {"<s>": 0, "</s>": 1, "<unk>": 2, "red": 3, "phone": 4, "a": 5}


def _tokenizer(folder: Path, single: str | None) -> Tokenizer:
    made = tokenizers.Tokenizer(WordLevel(_WORDS, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    if single is not None:
        special = [(piece, _WORDS[piece]) for piece in ("<s>", "</s>")]
        made.post_processor = TemplateProcessing(single=single, special_tokens=special)
    made.save(str(folder / "tokenizer.json"))
    manifest = Manifest(
        kind="embedder",
        name="tiny",
        version="1",
        dim=8,
        max_tokens=8,
        languages=["en"],
        licence="Apache-2.0",
        self_test={},
        files={"tokenizer.json": ""},
    )
    return Tokenizer(Bundle(folder, manifest))


@pytest.mark.parametrize(
    ("single", "whole", "cut"),
    [
        ("<s> $A </s>", Tokens([0, 3, 4, 1]), Tokens([0, 3, 1], dropped=1)),
        ("$A </s>", Tokens([3, 4, 1]), Tokens([3, 4, 1])),
    ],
)
def test_a_text_is_closed_always_and_opened_where_its_family_does(
    tmp_path: Path, single: str, whole: Tokens, cut: Tokens
) -> None:
    tokenizer = _tokenizer(tmp_path, single)
    assert tokenizer.encode(["red phone"], 8) == [whole]
    assert tokenizer.encode(["red phone"], 3) == [cut]
    assert (tokenizer.opening, tokenizer.closing) == (whole.ids[: len(whole.ids) - 3], 1)


@pytest.mark.parametrize("single", [None, "<s> $A", "<s> <s> $A </s>"])
def test_a_tokenizer_that_does_not_close_a_text_once_is_refused(tmp_path: Path, single: str | None) -> None:
    with pytest.raises(FailedPrecondition, match="one after it is needed"):
        _tokenizer(tmp_path, single)
