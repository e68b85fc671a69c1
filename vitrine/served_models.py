"""Which of the models that a service has shall answer a call: named by digest, the first where a call names none."""

from collections.abc import Mapping
from typing import TypeVar

from vitrine.comma_list import CommaList
from vitrine.errors import FailedPrecondition

T = TypeVar("T")


def served(models: Mapping[str, T], digest: str, setting: str) -> T:
    """The model of this digest; the first one for "".

    Raises FailedPrecondition, naming those that are served and the `setting` that adds one.
    """
    if not digest:
        return next(iter(models.values()))
    if digest not in models:
        raise FailedPrecondition(
            f"model {digest} is not served here, but {', '.join(models)}; add its folder to {setting}",
            reason="MODEL_NOT_SERVED",
        )
    return models[digest]


# A setting of several folders.
Folders = CommaList
