"""`python -m audit` holds what is installed to audit/advisories.json; `python -m audit refresh` fetches that anew."""

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from audit.advisories import Advisories, read_advisories
from audit.dependencies import installed, least_versions, requirements
from audit.osv import URL, fetched
from vitrine.errors import VitrineError

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("advisories.json")


def faults(advisories: Advisories, versions: dict[str, str], least: dict[str, str], today: date) -> list[str]:
    """What must be mended: vulnerable versions that are installed or allowed, and waivers whose time is over."""
    said = []
    for package, version in sorted(versions.items()):
        for one in advisories.of(package, version, today):
            said.append(f"{package} {version} is installed and has {one.id}: {one.summary}")
    for package, version in sorted(least.items()):
        for one in advisories.of(package, version, today):
            said.append(f"pyproject.toml allows {package} {version}, which has {one.id}: {one.summary}")
    for waiver in advisories.waivers:
        if waiver.until < today:
            said.append(
                f"the waiver of {waiver.id} in {waiver.package} ended on {waiver.until}: think it through again"
            )
    return said


def main() -> int:
    """Exit status: 0 when nothing must be mended."""
    parser = argparse.ArgumentParser(description="Holds what is installed to known vulnerabilities.")
    parser.add_argument("command", nargs="?", choices=("check", "refresh"), default="check")
    parser.add_argument("--url", default=URL, help="where refresh asks")
    parser.add_argument("--file", type=Path, default=FILE, help="the advisories")
    said = parser.parse_args()
    wanted = requirements(ROOT / "pyproject.toml")
    versions = installed(wanted)
    try:
        advisories = read_advisories(said.file)
        if said.command == "refresh":
            advisories = fetched(versions, advisories.waivers, said.url)
            said.file.write_text(advisories.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
    except VitrineError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    today = datetime.now(UTC).date()
    found = faults(advisories, versions, least_versions(wanted), today)
    for line in found:
        print(line, file=sys.stderr)
    unknown = len(versions.keys() - advisories.packages.keys())
    known = sum(map(len, advisories.packages.values()))
    print(
        f"dependencies: {len(versions)} installed, {len(found)} faults by {known} advisories of "
        f"{len(advisories.packages)} packages, taken {advisories.taken} ({(today - advisories.taken).days} days ago) "
        f"from {advisories.source}"
    )
    if unknown:
        print(f"{unknown} of them were never asked about: make audit-refresh, which needs the network")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
