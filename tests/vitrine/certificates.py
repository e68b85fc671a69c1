"""Certificates made in a test: an authority, and what it vouches for, as the files that a process reads."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import trustme

from vitrine.tls import ClientTls, Identity, ServerTls


class Authority:
    """An authority whose file and certificates lie in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / f"{name}.pem"
        self.write()

    def write(self) -> None:
        """Writes the authority's file."""
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(
        self, name: str, *, hosts: Sequence[str] = ("localhost", "127.0.0.1"), not_after: datetime | None = None
    ) -> Identity:
        """A certificate in files of this name, in place of those before."""
        issued = self._ca.issue_cert(*hosts, not_after=not_after)
        identity = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        # Each file in one step; between the two they are no pair, as it is when an operator renews them.
        for path, text in (
            (identity.certificate, b"".join(blob.bytes() for blob in issued.cert_chain_pems)),
            (identity.key, issued.private_key_pem.bytes()),
        ):
            partial = path.with_suffix(".partial")
            partial.write_bytes(text)
            partial.replace(path)
        return identity

    def expired(self, name: str) -> Identity:
        """A certificate whose time is over."""
        return self.issue(name, not_after=datetime(2020, 1, 1, tzinfo=UTC))

    def server(self, name: str = "server", *, mutual: bool = True, **issued: object) -> ServerTls:
        """How a server shows a new certificate; with `mutual` clients need one of this authority."""
        return ServerTls(self.issue(name, **issued), self.file if mutual else None)  # type: ignore[arg-type]

    def client(self, name: str | None = "client") -> ClientTls:
        """A client that trusts this authority, and shows a new certificate where a name is given."""
        return ClientTls(self.file, self.issue(name) if name else None)
