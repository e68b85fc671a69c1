"""A corpus as token rows on disk: memory holds a row's place and not its tokens."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import rjieba
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.errors import TrainingError

_ENCODE_CHUNK = 512  # texts per call to the tokenizer
_NO_WORD = -1  # special tokens and white space


class TokenCorpus:
    """Rows of token ids, each token with the number of its word within the row."""

    def __init__(self, folder: Path) -> None:
        try:
            self._starts: NDArray[np.int64] = np.load(folder / "starts.npy", allow_pickle=False)
            # An empty file can't be mapped.
            path, empty = folder / "tokens.bin", self._starts[-1] == 0
            stored = np.empty(0, dtype=np.int32) if empty else np.memmap(path, dtype=np.int32, mode="r")
            if len(stored) != 2 * self._starts[-1]:
                raise ValueError(f"{len(stored)} numbers, not {2 * self._starts[-1]}")
        except (OSError, ValueError, EOFError, IndexError) as error:
            raise TrainingError(
                f"the texts in {folder} are cut short or damaged; delete it to make it again"
            ) from error
        self._stored = stored.reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def lengths(self) -> list[int]:
        """Tokens of each row."""
        lengths: list[int] = np.diff(self._starts).tolist()
        return lengths

    def row(self, number: int) -> tuple[list[int], list[int]]:
        """Token ids, and for each its word's number or -1."""
        pairs = self._stored[self._starts[number] : self._starts[number + 1]]
        return pairs[:, 0].tolist(), pairs[:, 1].tolist()


def write_corpus(folder: Path, texts: Iterable[str], tokenizer: Tokenizer, max_tokens: int) -> dict[str, int]:
    """Write the texts' tokens to `folder`, longer texts in several rows cut between words; gives the counts.

    Words come from a segmenter where Han characters are, from spaces elsewhere (whole-word masking for Chinese: Cui et
    al. 2021). `folder`/counts.json comes last: what has it is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    *first, last = tokenizer.encode("").ids
    room = max_tokens - len(first) - 1
    starts, total, count = [0], 0, 0
    with (folder / "tokens.bin").open("wb") as file:
        for chunk in _chunks(texts):
            count += len(chunk)
            for text, encoding in zip(chunk, tokenizer.encode_batch(chunk, add_special_tokens=False), strict=True):
                for ids, words in _pieces(encoding.ids, words_of_tokens(text, encoding.offsets), room):
                    row = [[token, _NO_WORD] for token in first]
                    row += [list(pair) for pair in zip(ids, words, strict=True)]
                    row.append([last, _NO_WORD])
                    file.write(np.array(row, dtype=np.int32).tobytes())
                    total += len(row)
                    starts.append(total)
    np.save(folder / "starts.npy", np.array(starts, dtype=np.int64))
    counts = {"texts": count, "rows": len(starts) - 1, "tokens": total}
    (folder / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
    return counts


def words_of_tokens(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """For each token the number of the word in which its first character lies; -1 for white space alone."""
    owner: list[int] = []
    for number, word in enumerate(rjieba.cut(text)):
        owner += [_NO_WORD if word.isspace() else number] * len(word)
    found = []
    for start, end in offsets:
        inside = (owner[at] for at in range(start, min(end, len(owner))) if owner[at] != _NO_WORD)
        found.append(next(inside, _NO_WORD))
    return found


def _pieces(ids: list[int], words: list[int], room: int) -> Iterator[tuple[list[int], list[int]]]:
    """The tokens in parts of at most `room`, cut between words where a word fits into a part."""
    start = 0
    while start < len(ids):
        end = min(start + room, len(ids))
        cut = end
        while cut < len(ids) and cut > start and words[cut] == words[cut - 1] != _NO_WORD:
            cut -= 1
        end = cut if cut > start else end
        yield ids[start:end], words[start:end]
        start = end


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _ENCODE_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
