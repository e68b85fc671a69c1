"""What can go wrong, in the words of the field; `vitrine.status` carries it over gRPC and HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field that is wrong, by its path in the request ("products[3].title"), and how to mend it."""

    field: str
    description: str


class VitrineError(Exception):
    """A fault that a caller may see; for programs `reason`, a stable UPPER_SNAKE_CASE name, and `metadata`, of what."""

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})


class InvalidArgument(VitrineError):
    """The request is wrong whatever the state; names each field and the fix."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, *violations: FieldViolation, reason: str | None = None) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations), reason=reason)
        self.violations = violations

    def within(self, path: str) -> "InvalidArgument":
        """The same error seen from outside: each field's path begins with `path` ("products[3]" and "title")."""
        return InvalidArgument(
            *(FieldViolation(f"{path}.{v.field}", v.description) for v in self.violations), reason=self.reason
        )


class FailedPrecondition(VitrineError):
    """The request is right but the state forbids it (two digests that disagree)."""

    reason = "FAILED_PRECONDITION"


class Unimplemented(VitrineError):
    """The contract has it, this version does not; the message names what is served."""

    reason = "UNIMPLEMENTED"


class NotFound(VitrineError):
    """What was named does not exist."""

    reason = "NOT_FOUND"


class Unauthenticated(VitrineError):
    """The caller does not say who it is, or does so wrongly."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(VitrineError):
    """The caller is known, and may not do this."""

    reason = "PERMISSION_DENIED"


class ResourceExhausted(VitrineError):
    """A bound was met. With `retry_after_s` the caller may try again after that many seconds."""

    reason = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, reason: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(VitrineError):
    """The caller's time is over; the work was left."""

    reason = "DEADLINE_EXCEEDED"


class Unavailable(VitrineError):
    """A part is away; the same call may succeed later."""

    reason = "UNAVAILABLE"


class Internal(VitrineError):
    """A fault of this service that it recognised (a model that gives NaN)."""

    reason = "INTERNAL"


def invalid(field: str, description: str, *, reason: str | None = None) -> InvalidArgument:
    """An `InvalidArgument` of one field."""
    return InvalidArgument(FieldViolation(field, description), reason=reason)
