"""The stages of a run: each method hot and cold, and a few of them by callers up to past the knee."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf.message import Message

from loadtest.ghz import CONNECTIONS, Measured, run_call
from loadtest.internal_loads import INTERNAL
from loadtest.knee import CALLERS, Swept
from loadtest.load import Load
from loadtest.material import Material
from loadtest.methods import NO_OP, Method, methods
from loadtest.public_loads import PUBLIC
from loadtest.requests import write_descriptors, write_messages

# Internal ones that change releases leave things that the gateway would follow: they come last.
LOADS: dict[str, Load] = PUBLIC | INTERNAL
# By callers: what shoppers wait for, and the parts that cost most.
SWEPT = (
    (NO_OP, "hot"),
    ("SearchService/Search", "hot"),
    ("SearchService/Search", "cold"),
    ("RecommendationService/Recommend", "cold"),
    ("EmbedderService/Embed", "cold"),
    ("RetrieverService/Retrieve", "cold"),
)
# Share of the peak at which callers come who do not wait for one another.
OPEN_SHARE = 0.6
# Calls of one caller alone before it is known how many take the time of a stage.
_FIRST = 10


@dataclass(frozen=True)
class Stages:
    """Stages of `seconds` each against one suite, made of its material; data files lie in `folder`."""

    folder: Path
    shape: str
    material: Material
    seconds: float
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        write_descriptors(self._descriptors)

    def all(self, processes: Sequence[str], *, changes: bool) -> Iterator[Measured]:
        """Each method that one of `processes` serves; without `changes` only those that write nothing."""
        known = methods()
        for name, load in LOADS.items():
            if known[name].process in processes and (changes or not load.changes):
                for temperature, messages in load.temperatures().items():
                    yield self._one(known[name], load, temperature, messages(self.material))

    def swept(self, processes: Sequence[str]) -> Iterator[Swept]:
        """Those of SWEPT that one of `processes` serves."""
        known = methods()
        for name, temperature in SWEPT:
            if known[name].process in processes:
                yield self._by_callers(known[name], temperature)

    def _one(self, method: Method, load: Load, temperature: str, messages: Sequence[Message]) -> Measured:
        stage = f"{method.name} {temperature}"
        if temperature == "hot":
            streamed = None if method.is_unary else len(messages)
            self._warm(method, messages, load.in_flight)
            ends = ["--duration", f"{self.seconds}s"]
            measured = self._ghz(stage, method, self._data(messages), load.in_flight, ends, streamed=streamed)
        else:
            # The others belong to callers up to past the knee.
            own = messages[: len(messages) // 2] if (method.name, "cold") in SWEPT else messages
            measured = self._cold(stage, method, load, own)
        self.say(f"{self.shape}: {stage}: {measured.rps:,.0f}/s, {measured.errors} errors")
        return measured

    def _cold(self, stage: str, method: Method, load: Load, messages: Sequence[Message]) -> Measured:
        """As many calls as take the time of a stage, for none may come twice: one of each caller tells how many."""

        def asked(some: Sequence[Message]) -> Measured:
            ends = ["--total", str(len(some))]
            return self._ghz(stage, method, self._data(some), min(load.in_flight, len(some)), ends)

        tried, rest = asked(messages[: load.in_flight]), messages[load.in_flight :]
        whole = asked(rest if load.whole else rest[: max(load.in_flight, round(tried.rps * self.seconds))])
        return replace(whole, codes=dict(Counter(whole.codes) + Counter(tried.codes)))

    def _by_callers(self, method: Method, temperature: str) -> Swept:
        load = LOADS[method.name]
        messages = load.temperatures()[temperature](self.material)
        stage, count = f"{method.name} {temperature}", len(CALLERS) + 1
        if temperature == "hot":
            self._warm(method, messages, load.in_flight)
            parts = [messages] * count
        else:
            # Each its own, of the half that nobody else asks.
            parts = [messages[len(messages) // 2 + part :: count] for part in range(count)]
        points: list[Measured] = []
        for callers, part in zip(CALLERS, parts, strict=False):
            ends = ["--duration", f"{self.seconds}s"]
            if temperature == "cold":
                # As many as would take the time of a stage at one and a half times of what fewer callers got.
                expected = round(1.5 * points[-1].rps * self.seconds) if points else _FIRST
                ends = ["--total", str(min(max(callers, expected), len(part)))]
            points.append(self._ghz(stage, method, self._data(part), callers, ends))
        rate = OPEN_SHARE * max(point.rps for point in points)
        open_s = max(1.0, self.seconds)
        ends = ["--duration", f"{open_s}s"]
        if temperature == "cold":
            ends = ["--total", str(min(max(CONNECTIONS, round(rate * open_s)), len(parts[-1])))]
        data = self._data(parts[-1])
        swept = Swept(
            stage, self.shape, CALLERS, tuple(points), rate, self._ghz(stage, method, data, CONNECTIONS, ends, rate)
        )
        self.say(f"{self.shape}: {stage} by callers: knee at {swept.knee:.1f}")
        return swept

    def _warm(self, method: Method, messages: Sequence[Message], in_flight: int) -> None:
        """Asks each once; searches twice: the first are not ranked whole while nothing is known of the cost."""
        if not method.is_unary:
            return
        distinct = list({message.SerializeToString(): message for message in messages}.values())
        data, callers = self._data(distinct), min(in_flight, len(distinct))
        for _ in range(2 if method.name == "SearchService/Search" else 1):
            self._ghz(f"{method.name} warm-up", method, data, callers, ["--total", str(len(distinct))])

    def _ghz(
        self,
        stage: str,
        method: Method,
        data: Path,
        in_flight: int,
        ends: list[str],
        rate: float | None = None,
        streamed: int | None = None,
    ) -> Measured:
        return run_call(
            stage,
            method.call,
            self.material.targets.all()[method.process],
            data=data,
            descriptors=self._descriptors,
            in_flight=in_flight,
            ends=ends,
            rate=rate,
            stream_messages=streamed,
        )

    def _data(self, messages: Sequence[Message]) -> Path:
        path = self.folder / "requests.bin"
        write_messages(path, messages)
        return path

    @property
    def _descriptors(self) -> Path:
        return self.folder / "vitrine.binpb"
