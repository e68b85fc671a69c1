"""What a check is, and how one is made: whatever goes wrong in it is said, and nothing is taken for well."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from cli.doctor.findings import Finding, unknown
from vitrine.errors import VitrineError

# What a check looks at: this machine, from its settings, or a suite that runs, by its addresses.
Scope = Literal["machine", "suite"]
Run = Callable[[Any], AsyncIterator[Finding]]
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `tells` is what the page of documentation says of it."""

    name: str
    scopes: tuple[Scope, ...]
    tells: str
    run: Run

    @property
    def subject(self) -> str:
        """What it is about: `redis` of `redis.cache`."""
        return self.name.partition(".")[0]


def check(name: str, *scopes: Scope, tells: str) -> Callable[[Run], Check]:
    """Makes a check of a function that yields what it saw of a `Machine` or a `Suite`."""
    return lambda run: Check(name, scopes, tells, run)


async def made(one: Check, examined: object, timeout_s: float = _TIMEOUT_S) -> list[Finding]:
    """All that a check saw, in order, an UNKNOWN where it was cut off or saw nothing."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(timeout_s):
            async for finding in one.run(examined):
                findings.append(finding)
    except TimeoutError:
        findings.append(unknown(f"did not end within {timeout_s:.0f} s", "try again when the machine is less busy"))
    except VitrineError as error:
        findings.append(unknown(error.message, "put that right and run the doctor again"))
    except ValidationError as error:
        findings.append(unknown(f"a setting of {error.title} is wrong", "see settings.values and run the doctor again"))
    except Exception as error:
        # A check that fails in a way that nobody thought of shall not take the others with it.
        findings.append(unknown(f"{type(error).__name__}: {error}", "report this as a fault of vitrine doctor"))
    return findings or [unknown("nothing was seen", "report this as a fault of vitrine doctor")]
