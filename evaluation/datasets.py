"""The data sets by name, and any shop in a folder. A new name is a reader and a line here."""

from collections.abc import Callable
from pathlib import Path

from evaluation.chinese_pairs import read_chinese_pairs
from evaluation.chinese_shop import read_chinese_shop
from evaluation.icecat import read_icecat
from evaluation.judged_data import JudgedShop, LabelledPair
from evaluation.shop_folder import read_shop_folder
from vitrine.errors import invalid

SHOPS: dict[str, Callable[[Path], JudgedShop]] = {"icecat": read_icecat, "zh-shop": read_chinese_shop}
PAIRS: dict[str, Callable[[Path], list[LabelledPair]]] = {"zh": read_chinese_pairs}


def read_dataset(
    name: str, data_dir: Path | None, *, mapping: Path | None = None, traffic: Path | None = None
) -> JudgedShop | list[LabelledPair]:
    """The data set `name` in `data_dir`, or a shop of one's own in the folder `name`, read with `mapping`.

    Raises InvalidArgument for an unknown name, an option that does not go with it, or a file that can't be read.
    """
    reader = SHOPS.get(name) or PAIRS.get(name)
    if reader is None:
        if not Path(name).is_dir():
            known = ", ".join(sorted({*SHOPS, *PAIRS}))
            fault = f"{name!r} is not known; choose from {known}, or give a folder with products and judgements"
            raise invalid("dataset", fault)
        return read_shop_folder(Path(name), mapping, traffic)
    for option, value in (("--mapping", mapping), ("--traffic", traffic)):
        if value is not None:
            raise invalid(option, f"is for a folder of your own, and {name} is a data set with a reader of its own")
    if data_dir is None:
        raise invalid("--data-dir", f"is missing; it names the folder that holds {name}")
    return reader(data_dir)


def read_shop(name: str, data_dir: Path | None) -> JudgedShop:
    """The data set `name`, a shop to search in. Raises InvalidArgument as `read_dataset` does, and for one of pairs."""
    shop = read_dataset(name, data_dir)
    if not isinstance(shop, JudgedShop):
        raise invalid("--dataset", f"{name} holds pairs and no shop to search; choose icecat or zh-shop")
    return shop
