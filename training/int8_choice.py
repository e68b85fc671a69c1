"""The int8 variants of one float32 model, and the rule that keeps one of them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from training.ledger import Entry
from training.quantize import quantize, quantize_per_tensor, quantize_static

TOLERANCE = 0.005  # what int8 may lose of a figure
PER_TOKEN, PER_TENSOR, STATIC = "int8, a scale per token", "int8, a scale per tensor", "int8, static"
RULE = (
    f"of the int8 variants that lose at most {TOLERANCE} of every figure against float32 the fastest is kept; "
    "when all lose more, the one that loses least"
)
Feeds = Callable[[], Iterable[dict[str, Any]]]


def variants(asked: str) -> tuple[str, ...]:
    """The variants to make for "best", "dynamic" (a scale per token), "static" or "none"."""
    found: Mapping[str, tuple[str, ...]] = {
        "best": (PER_TOKEN, PER_TENSOR, STATIC),
        "dynamic": (PER_TOKEN,),
        "static": (STATIC,),
        "none": (),
    }
    return found[asked]


def write_variant(variant: str, source: Path, target: Path, calibration: Feeds) -> None:
    """Quantise the float32 model `source` into `target`."""
    if variant == STATIC:
        quantize_static(source, target, calibration())
    else:
        (quantize if variant == PER_TOKEN else quantize_per_tensor)(source, target)


def keep(float32: Entry, made: list[Entry]) -> Entry:
    """The variant that RULE keeps."""
    allowed = [one for one in made if worst_loss(float32.figures, one.figures)[0] <= TOLERANCE]
    if allowed:
        return min(allowed, key=lambda one: one.latency_ms)
    return min(made, key=lambda one: worst_loss(float32.figures, one.figures)[0])


def excess(float32: Entry, kept: Entry) -> dict[str, str]:
    """What the kept variant loses beyond TOLERANCE, for the card; nothing when it keeps to it."""
    loss, figure = worst_loss(float32.figures, kept.figures)
    return {"int8_loses": f"{loss:.4f} of {figure}"} if loss > TOLERANCE else {}


def worst_loss(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, str]:
    """The largest fall of a figure and the figure's name; (0, "") when there are none."""
    return max(((value - after[name], name) for name, value in before.items()), default=(0.0, ""))
