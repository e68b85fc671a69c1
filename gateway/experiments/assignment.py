"""Assignment: what the experiments say of one call, from a file that is read anew when it changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gateway.experiments.arm_settings import ArmSettings
from gateway.experiments.attribution import INTERLEAVED, Attribution, new_answer_id
from gateway.experiments.definitions import Definitions, Experiment, read_definitions
from gateway.metrics import EXPERIMENTS_FILE_REFUSED, EXPERIMENTS_SUSPENDED
from vitrine.errors import VitrineError
from vitrine.ports.release import Release

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """An experiment whose two arms' results are to be one list, and what each of them sets, all other arms' too."""

    experiment: str
    settings: tuple[ArmSettings, ArmSettings]


@dataclass(frozen=True, slots=True)
class Call:
    """What holds for one call: the visitor's arms by experiment, and what they set."""

    place: str
    arms: Mapping[str, str] = field(default_factory=dict)
    settings: ArmSettings = field(default_factory=ArmSettings)
    interleaved: Interleaved | None = None
    answer_id: str = field(default_factory=new_answer_id)

    @property
    def tried(self) -> tuple[ArmSettings, ...]:
        """The settings to answer by: one, or two whose results are to be one list."""
        return self.interleaved.settings if self.interleaved else (self.settings,)

    def token(self, teams: Sequence[int] = ()) -> str:
        """The answer's attribution token. `teams`: of an interleaved answer, which arm gave each result."""
        given = {self.interleaved.experiment: teams} if self.interleaved else {}
        return Attribution(self.place, datetime.now(UTC), self.answer_id, self.arms, given).token()


class Experiments:
    """The experiments of a file."""

    def __init__(self, path: Path | None, release_named: Callable[[str], Release | None] = lambda name: None) -> None:
        """None: there are none. `release_named` gives a release that can answer now.

        Raises FailedPrecondition where the file is wrong.
        """
        self._path = path
        self._release_named = release_named
        self._suspended: frozenset[str] = frozenset()
        self._definitions = Definitions() if path is None else read_definitions(path)
        self._version = _version(path)

    def call(self, visitor_id: str, place: str) -> Call:
        """What holds for a visitor's call; one without id is in no experiment."""
        self._follow()
        arms: dict[str, str] = {}
        settings, interleaved = ArmSettings(), None
        for name, experiment in self._definitions.at(place) if visitor_id else ():
            if self._is_suspended(name, experiment):
                continue
            arm = experiment.arm_of(name, visitor_id)
            if arm is None:
                continue
            if experiment.interleave:
                arms[name] = INTERLEAVED
                interleaved = (name, experiment.arms)
            else:
                arms[name] = arm.name
                settings = settings.with_those_of(arm.sets)
        if interleaved is None:
            return Call(place, arms, settings)
        name, (first, second) = interleaved
        both = (settings.with_those_of(first.sets), settings.with_those_of(second.sets))
        return Call(place, arms, settings, Interleaved(name, both))

    def release_of(self, arms: Mapping[str, str]) -> Release | None:
        """The release that an answer to a visitor in these arms is by, of an interleaved one the first arm's.

        None: the one that serves.
        """
        for name, answered in arms.items():
            if (experiment := self._definitions.experiments.get(name)) is None:
                continue
            shown = [arm for arm in experiment.arms if answered in (arm.name, INTERLEAVED)]
            if shown and shown[0].release is not None:
                return self._release_named(shown[0].release)
        return None

    def _is_suspended(self, name: str, experiment: Experiment) -> bool:
        """Whether a release of some arm cannot answer: then nobody takes part, so that the arms stay comparable."""
        missing = [release for release in experiment.releases if self._release_named(release) is None]
        if bool(missing) != (name in self._suspended):
            self._suspended = self._suspended ^ {name}
            EXPERIMENTS_SUSPENDED.labels(name).set(bool(missing))
            log.warning("experiment suspended" if missing else "experiment goes on", name=name, releases=missing)
        return bool(missing)

    def _follow(self) -> None:
        """Takes up a changed file. One that is wrong changes nothing, and is told in log and metrics."""
        if self._path is None or (version := _version(self._path)) == self._version:
            return
        self._version = version
        try:
            self._definitions = read_definitions(self._path)
        except VitrineError as error:
            EXPERIMENTS_FILE_REFUSED.set(1)
            log.error("experiments file refused, the one before holds", error=error.message)
        else:
            EXPERIMENTS_FILE_REFUSED.set(0)
            log.info("experiments", names=list(self._definitions.experiments))


def _version(path: Path | None) -> tuple[int, ...]:
    """What changes with the file; nothing while it is away."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        status = None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else ()
