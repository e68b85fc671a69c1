"""The data sets by name. A new one is a reader and a line here."""

from collections.abc import Callable
from pathlib import Path

from evaluation.chinese_pairs import read_chinese_pairs
from evaluation.icecat import read_icecat
from evaluation.judged_data import JudgedShop, LabelledPair
from vitrine.errors import invalid

SHOPS: dict[str, Callable[[Path], JudgedShop]] = {"icecat": read_icecat}
PAIRS: dict[str, Callable[[Path], list[LabelledPair]]] = {"zh": read_chinese_pairs}


def read_dataset(name: str, data_dir: Path) -> JudgedShop | list[LabelledPair]:
    """The data set `name` in `data_dir`. Raises InvalidArgument for an unknown name or a file that can't be read."""
    reader = SHOPS.get(name) or PAIRS.get(name)
    if reader is None:
        raise invalid("dataset", f"{name!r} is not known; choose from {', '.join(sorted({*SHOPS, *PAIRS}))}")
    return reader(data_dir)
