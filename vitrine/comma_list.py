"""A setting of several words: with commas between them in its environment variable."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def _divided(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_divided)]
