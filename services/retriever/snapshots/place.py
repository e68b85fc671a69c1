"""A place for snapshots: a folder, or any store that fsspec reaches ("s3://bucket/shop")."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec.core

from services.retriever.snapshots.manifest import NAME, Manifest, SnapshotFile, read_manifest
from vitrine.errors import FailedPrecondition, NotFound


class Place:
    """A folder by its URL. Raises FailedPrecondition for a store that cannot be reached, and says how to mend it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with self._reached("reached"):
            self._files, self._path = fsspec.core.url_to_fs(self.url)

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.url}/{name}")

    def names(self) -> list[str]:
        """The names in it, in order; none where it is not there."""
        with self._reached("read"):
            self._files.invalidate_cache()
            if not self._files.isdir(self._path):
                return []
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in self._files.ls(self._path, detail=False))

    def write(self, name: str, data: bytes) -> None:
        """Writes a file; on a disk it is there to stay when this returns."""
        with self._reached("written"):
            if not self._is("s3"):
                # In S3 there are no folders, and a bucket that is not there is one that was misspelt.
                self._files.makedirs(self._path, exist_ok=True)
            with self._files.open(f"{self._path}/{name}", "wb") as file:
                file.write(data)
                if self._is("file"):
                    file.flush()
                    os.fsync(file.fileno())

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        with self._reached("read"):
            data: bytes = self._files.cat_file(f"{self._path}/{name}")
            return data

    def read_checked(self, file: SnapshotFile) -> bytes:
        """A snapshot's file. Raises FailedPrecondition where it is not what its manifest says."""
        data = self.read(file.name)
        if len(data) != file.bytes:
            raise FailedPrecondition(f"{self.url}/{file.name} is torn: it has {len(data)} of {file.bytes} bytes")
        if (found := hashlib.sha256(data).hexdigest()) != file.sha256:
            raise FailedPrecondition(
                f"{self.url}/{file.name} has digest sha256:{found} and its manifest says sha256:{file.sha256}; "
                "restore another snapshot"
            )
        return data

    def manifest(self) -> Manifest:
        """The manifest of the snapshot that is here. Raises FailedPrecondition where that was not finished."""
        if NAME not in self.names():
            raise FailedPrecondition(f"{self.url} holds no {NAME}: it is no snapshot, or one that was cut off")
        return read_manifest(self.read(NAME), f"{self.url}/{NAME}")

    def snapshots(self) -> list["Place"]:
        """This snapshot, or those that lie in here, the newest first. Raises NotFound where there is none."""
        names = self.names()
        if NAME in names:
            return [self]
        found = [self / name for name in reversed(names) if not name.startswith(".")]
        if not found:
            raise NotFound(f"there is no snapshot in {self.url}; `vitrine snapshot create {self.url}` makes one")
        return found

    def _is(self, protocol: str) -> bool:
        own = self._files.protocol
        return protocol in ((own,) if isinstance(own, str) else own)

    @contextmanager
    def _reached(self, done: str) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise FailedPrecondition(f"{self.url}: {error}; for S3 pip install 'vitrine[s3]'") from error
        except Exception as error:
            # Every store has exceptions of its own, from a full disk to missing credentials.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise FailedPrecondition(f"{self.url} cannot be {done}: {reason}") from error
