"""The system around the processes: file descriptors, locale, and proxy variables."""

import locale
import os
import resource
import sys
from collections.abc import AsyncIterator

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine

# 128 searches, 128 recommendations and 256 suggestions inside, each with its connection, and the parts' own files.
_FEW_FILES = 1_024
_TOO_FEW_FILES = 256


@check("system.descriptors", "machine", tells="enough file descriptors for the connections and files of a busy part")
async def descriptors(_machine: Machine) -> AsyncIterator[Finding]:
    """The soft limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"{soft:,} files may be open" if soft != resource.RLIM_INFINITY else "any number of files may be open"
    fix = f"ulimit -n {'65536' if hard == resource.RLIM_INFINITY else min(hard, 65_536)}, or LimitNOFILE= in the unit"
    if soft != resource.RLIM_INFINITY and soft < _TOO_FEW_FILES:
        yield problem(f"only {said}", fix)
    elif soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        yield warning(f"only {said}", fix)
    else:
        yield ok(said)


@check("system.locale", "machine", tells="text is UTF-8, in which feeds are read and Chinese is printed")
async def locales(_machine: Machine) -> AsyncIterator[Finding]:
    """The encodings of files and of the terminal."""
    preferred, files = locale.getpreferredencoding(False), sys.getfilesystemencoding()
    if wrong := {name for name in (preferred, files) if name.lower().replace("-", "") != "utf8"}:
        yield warning(f"text is {', '.join(sorted(wrong))} here", "set LANG=C.UTF-8 (or PYTHONUTF8=1)")
    else:
        yield ok("text is UTF-8")


@check("system.proxies", "machine", tells="proxy variables: the suite's own connections leave them out, others may not")
async def proxies(_machine: Machine) -> AsyncIterator[Finding]:
    """http_proxy and its like without a no_proxy for this machine: curl and browsers then ask the proxy for it."""
    upper = {name.upper(): value for name, value in os.environ.items() if value}
    named = sorted(name for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY") if name in upper)
    excepted = upper.get("NO_PROXY", "")
    if named and not {"*", "127.0.0.1", "localhost"} & {part.strip() for part in excepted.split(",")}:
        yield warning(
            f"{', '.join(named)} without NO_PROXY for this machine: grpcurl and curl ask the proxy for 127.0.0.1",
            "set NO_PROXY=127.0.0.1,localhost and the names of the parts",
        )
    else:
        yield ok(f"{', '.join(named)}, and this machine is excepted" if named else "no proxy is set")
