"""The training loop that every step shares: AdamW, warm-up and decay, checkpoints, progress, a stop on NaN.

It runs in one process or in many with the same command (torchrun, `accelerate launch`), in float32 or mixed precision.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import Tensor, nn

from training.errors import TrainingError
from training.processes import gathered, processes, sum_gradients, summed
from training.run_folder import RunFolder

Batch = TypeVar("Batch")
Batch_co = TypeVar("Batch_co", covariant=True)
Precision = Literal["no", "bf16", "fp16"]
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Schedule:
    """How one step optimises."""

    learning_rate: float
    weight_decay: float = 0.01
    warmup: float = 0.06  # share of all steps
    decay: Literal["linear", "cosine"] = "linear"  # to 0: from the warm-up's end on, or as a cosine over all steps
    clip: float = 1.0  # gradient norm
    checkpoint_every: int = 100  # batches
    accumulate: int = 1  # batches of each process that one step takes
    precision: Precision = "no"  # of the activations; weights stay float32


@runtime_checkable
class BatchStream(Protocol[Batch_co]):
    """Batches that are read when they are needed, of a known number and always in the same order."""

    def __len__(self) -> int: ...

    def starting_at(self, batch: int) -> Iterator[Batch_co]:
        """The batches from number `batch` on."""
        ...


def optimise(
    name: str,
    model: nn.Module,
    batches: Sequence[Batch] | BatchStream[Batch],
    loss_of: Callable[[Batch], Tensor],
    schedule: Schedule,
    run: RunFolder,
) -> None:
    """Train `model` in place on `batches`, in order, resuming from the run folder's checkpoint of step `name`.

    One step takes `accumulate` batches of each process and the mean of their losses, so two processes do what one does
    that accumulates two. While it trains, the model lies on the process's device; `loss_of` takes its targets there.
    A resumed run takes the same batches in the same order, with the same dropout, so it ends with the same weights.
    Raises TrainingError when the loss is not a number; the last checkpoint stays as it was.
    """
    if not len(batches):
        raise TrainingError(f"{name}: there is nothing to train on")
    home = next(model.parameters()).device
    model.to(processes().device)
    _Step(name, model, loss_of, schedule, run).train(batches)
    model.to(home)


class _Step:
    """One step of a training run: model, optimiser and what is needed to go on after a stop."""

    def __init__(
        self, name: str, model: nn.Module, loss_of: Callable[[Any], Tensor], schedule: Schedule, run: RunFolder
    ) -> None:
        self._name, self._model, self._loss_of, self._schedule, self._run = name, model, loss_of, schedule, run
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        self._scaler = torch.amp.GradScaler(processes().device.type, enabled=schedule.precision == "fp16")

    def train(self, batches: Sequence[Any] | BatchStream[Any]) -> None:
        total, group = len(batches), self._schedule.accumulate * processes().num_processes
        first = self._resume()
        own = _own_batches(batches, first)
        self._model.train()
        recent = math.nan
        with _progress(self._name, first, total) as show:
            for start in range(first, total, group):
                end = min(start + group, total)
                value = self._gradients(own, start, end)
                self._move(start // group, math.ceil(total / group))
                recent = value if math.isnan(recent) else 0.98 * recent + 0.02 * value
                show(end, recent)
                every = self._schedule.checkpoint_every
                if end // every > start // every or end == total:
                    self._run.log(step=self._name, batch=end, of=total, loss=round(recent, 5))
                    self._save(end)

    def _gradients(self, own: Iterator[Any], start: int, end: int) -> float:
        """Leave the gradients of batches `start` to `end` on the parameters, and give their mean loss."""
        everyone, precision = processes(), self._schedule.precision
        device = everyone.device
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=device)
        for _ in range(start + everyone.process_index, end, everyone.num_processes):
            batch = next(own)
            with torch.autocast(device.type, dtype=_HALF.get(precision), enabled=precision != "no"):
                loss = self._loss_of(batch)
            self._scaler.scale(loss / (end - start)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach().float()
        value = float(summed(total)) / (end - start)
        if not math.isfinite(value):
            at = f"batch {start}" if end == start + 1 else f"batches {start} to {end - 1}"
            raise TrainingError(f"{self._name}: loss is {value} at {at}; lower the learning rate and start again")
        sum_gradients(self._parameters)
        return value

    def _move(self, step: int, steps: int) -> None:
        """One step of the optimiser: the rate rises in a line over the warm-up and falls to 0 at the end."""
        warmup = max(1, int(steps * self._schedule.warmup))
        rising = (step + 1) / warmup
        if self._schedule.decay == "cosine":
            share = min(1.0, rising) * (1 + math.cos(math.pi * step / steps)) / 2
        else:
            share = min(rising, max(0.0, (steps - step) / max(1, steps - warmup)))
        for group in self._optimizer.param_groups:
            group["lr"] = self._schedule.learning_rate * share
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._parameters, self._schedule.clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def _save(self, batch: int) -> None:
        random = gathered(torch.get_rng_state())
        on_device = gathered(_device_random())
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "random": random,
            "device_random": on_device,
            "batch": batch,
        }
        self._run.save_checkpoint(self._name, state)

    def _resume(self) -> int:
        """Put back the last checkpoint, and give the number of batches that are done."""
        saved = self._run.load_checkpoint(self._name)
        if saved is None:
            return 0
        index = processes().process_index
        try:
            self._model.load_state_dict(saved["model"])
            self._optimizer.load_state_dict(saved["optimizer"])
            self._scaler.load_state_dict(saved["scaler"])
            # A run that goes on with more processes than before gives the new ones draws of their own.
            if index < len(saved["random"]):
                torch.set_rng_state(saved["random"][index])
                _set_device_random(saved["device_random"][index])
            return int(saved["batch"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise TrainingError(
                f"{self._name}: the checkpoint in {self._run.path} is of another model or version "
                f"({str(error).splitlines()[0]}); give another run folder"
            ) from error


def _own_batches(batches: Sequence[Any] | BatchStream[Any], first: int) -> Iterator[Any]:
    """This process's share of the batches from number `first` on: every n-th, n being the number of processes."""
    index, count = processes().process_index, processes().num_processes
    if isinstance(batches, BatchStream):
        return itertools.islice(batches.starting_at(first), index, None, count)
    return (batches[at] for at in range(first + index, len(batches), count))


def _device_random() -> Tensor:
    return torch.cuda.get_rng_state() if processes().device.type == "cuda" else torch.empty(0, dtype=torch.uint8)


def _set_device_random(state: Tensor) -> None:
    if len(state) and processes().device.type == "cuda":
        torch.cuda.set_rng_state(state)


@contextmanager
def _progress(name: str, first: int, total: int) -> Iterator[Callable[[int, float], None]]:
    """A bar on stderr, where that is a terminal, of the main process alone."""
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.4f}"))
    hidden = not (console.is_terminal and processes().is_main_process)
    with Progress(*columns, console=console, disable=hidden) as progress:
        task = progress.add_task(name, total=total, completed=first, loss=math.nan)
        yield lambda done, loss: progress.update(task, completed=done, loss=loss)


def length_batches(lengths: Sequence[int], batch_tokens: int, generator: torch.Generator) -> list[list[int]]:
    """Row numbers in batches of similar length, at most `batch_tokens` padded tokens each; batches in random order."""
    noise = torch.rand(len(lengths), generator=generator).tolist()
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row] + noise[row] * 3, noise[row]))
    batches: list[list[int]] = []
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * max(lengths[row], lengths[batch[-1]]) > batch_tokens:
            batches.append(batch)
            batch = []
        batch.append(row)
    batches.append(batch)
    return [batches[at] for at in torch.randperm(len(batches), generator=generator).tolist()]
