"""Settings that cannot be read, by the variables that they come from."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_settings import BaseSettings


def wrong_settings(error: ValidationError) -> list[tuple[str, str]]:
    """Each variable that is wrong and what is wrong with it, without its value, which may be a secret.

    Empty where the error is not of settings.
    """
    prefixes = {one.__name__: one.model_config.get("env_prefix", "") for one in _classes(BaseSettings)}
    if error.title not in prefixes:
        return []
    faults = error.errors(include_input=False)
    return [(_variable(prefixes[error.title], fault["loc"]), fault["msg"]) for fault in faults]


@contextmanager
def wrong_settings_told() -> Iterator[None]:
    """Ends the process with a line on stderr and status 1 where its settings cannot be read."""
    try:
        yield
    except ValidationError as error:
        if faults := told(error):
            sys.exit(f"error: {faults}")
        raise


def told(error: ValidationError) -> str:
    """The same in one line for people, empty where the error is not of settings."""
    return "; ".join(f"{variable}: {fault.removeprefix('Value error, ')}" for variable, fault in wrong_settings(error))


def _variable(prefix: str, place: tuple[int | str, ...]) -> str:
    # Of a list the variable holds all members.
    name = "__".join(part.upper() for part in place if isinstance(part, str))
    # An alias is the whole name.
    return name if name.startswith(("VITRINE_", "REDIS_", "OTEL_")) else f"{prefix}{name}"


def _classes(settings: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for one in settings.__subclasses__():
        yield one
        yield from _classes(one)
