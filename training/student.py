"""The student before training: e5's trimmed vocabulary on MiniLM's body, words transplanted."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer

from training.base_models import BaseFiles
from training.e5_weights import Floats, read_e5
from training.minilm_weights import read_minilm
from training.run_folder import RunFolder, write_atomically
from training.transplant import shared_token, transplant_words
from training.vocabulary import Trimmed, trim

HEADS = 12
EPS = 1e-12
PAD_ID = 1
_WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Student:
    """BERT tensors by name and the tokenizer that goes with them."""

    tensors: dict[str, Floats]
    tokenizer_json: str

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_json)


def make_student(bases: BaseFiles, texts: Iterable[str], run: RunFolder) -> Student:
    """Trim and transplant, or read both back from the run folder; normalised `texts` decide which pieces stay."""
    path = run.path / "tokenizer.json"

    def make() -> dict[str, Floats]:
        trimmed = _trim(bases, texts)
        write_atomically(path, trimmed.tokenizer_json.encode())
        tensors = read_minilm(bases.minilm_weights)
        rows = read_e5(bases.e5_weights).tensors[_WORDS][trimmed.source_ids]
        tensors[_WORDS], shared = transplant_words(trimmed.pieces, rows, tensors[_WORDS], _minilm_vocab(bases))
        run.log(step="transplant", pieces=len(trimmed.pieces), shared=shared)
        return tensors

    tensors = run.arrays("transplanted", make)
    return Student(tensors, path.read_text(encoding="utf-8"))


def _trim(bases: BaseFiles, texts: Iterable[str]) -> Trimmed:
    """The pieces that the texts use, and all that MiniLM's English vocabulary knows as well."""
    english = _minilm_vocab(bases)
    pieces = Tokenizer.from_file(str(bases.e5_tokenizer)).get_vocab()
    return trim(bases.e5_tokenizer, texts, also=(p for p in pieces if shared_token(p, english) is not None))


def _minilm_vocab(bases: BaseFiles) -> dict[str, int]:
    vocab: dict[str, int] = Tokenizer.from_file(str(bases.minilm_tokenizer)).get_vocab()
    return vocab
