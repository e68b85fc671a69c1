"""One run of the bench: how long, where its files lie, and how load is put on a server."""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message

from loadtest.ghz import Measured, run_stage
from loadtest.requests import write_descriptors, write_messages

STAGES = Path(__file__).with_name("stages")


@dataclass(frozen=True, slots=True)
class Run:
    """`rounds` rounds of each side in turns, `seconds` each; queries and their order by `seed`.

    `draws`: how many searches the hot stream has before it begins anew; each of its queries is asked once before.
    """

    folder: Path
    seconds: int
    rounds: int
    draws: int
    seed: int

    @property
    def ends(self) -> list[str]:
        """What ends a round under ghz."""
        return ["--duration", f"{self.seconds}s"]

    def load(self, stage: str, target: str, messages: list[Message], ends: list[str] | None = None) -> Measured:
        """What ghz sees of a stage that sends these messages in turns until the round ends, or `ends` says."""
        data, descriptors = self.folder / f"{stage}.bin", self.folder / "vitrine.binpb"
        write_messages(data, messages)
        write_descriptors(descriptors)
        return run_stage(
            stage, target, data=data, descriptors=descriptors, ends=self.ends if ends is None else ends, stages=STAGES
        )
