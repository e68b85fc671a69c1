"""`vitrine doctor`: makes the checks one after the other, prints each as it is made, and says how it all went."""

import json
from collections import Counter
from collections.abc import Iterable

import typer

from cli.doctor.check import Check, made
from cli.doctor.findings import Finding, Verdict
from cli.doctor.machine import Machine
from cli.doctor.registry import checks_of
from cli.doctor.suite import open_suite

_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "red", Verdict.UNKNOWN: "magenta"}
_WIDTH = max(len(verdict) for verdict in Verdict)


async def examine(address: str, http: str, names: Iterable[str], *, as_json: bool) -> int:
    """Checks this machine, or the suite at `address`; the exit status: 1 with a problem, 2 with a check not made, or 0.

    `names` are of checks or their subjects; none: all. Raises InvalidArgument for a name or address that is none.
    """
    checks = checks_of("suite" if address else "machine", names)
    if address:
        async with open_suite(address, http) as suite:
            found = await _made(checks, suite, as_json=as_json)
    else:
        found = await _made(checks, Machine(), as_json=as_json)
    counts = Counter(finding.verdict for _, finding in found)
    if as_json:
        rows = [
            {"check": one.name, "verdict": finding.verdict, "seen": finding.seen, "todo": finding.todo}
            for one, finding in found
        ]
        typer.echo(
            json.dumps({"findings": rows, "counts": {v: counts[v] for v in Verdict}}, indent=1, ensure_ascii=False)
        )
    else:
        typer.echo(
            f"\n{counts[Verdict.OK]} ok, {counts[Verdict.WARNING]} warnings, {counts[Verdict.PROBLEM]} problems, "
            f"{counts[Verdict.UNKNOWN]} could not be checked"
        )
    return 1 if counts[Verdict.PROBLEM] else 2 if counts[Verdict.UNKNOWN] else 0


async def _made(checks: Iterable[Check], examined: object, *, as_json: bool) -> list[tuple[Check, Finding]]:
    found = []
    for one in checks:
        for finding in await made(one, examined):
            found.append((one, finding))
            if not as_json:
                typer.echo(_line(one, finding))
    return found


def _line(one: Check, finding: Finding) -> str:
    verdict = typer.style(f"{finding.verdict:{_WIDTH}}", fg=_COLOURS[finding.verdict])
    todo = f" -> {finding.todo}" if finding.todo else ""
    return f"{verdict} {one.name}: {finding.seen}{todo}"
