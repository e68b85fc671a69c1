"""The training loop that every step shares: AdamW, warm-up and decay, checkpoints, progress, a stop on NaN."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from rich.progress import Progress, TextColumn
from torch import Tensor, nn

from training.errors import TrainingError
from training.run_folder import RunFolder

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Schedule:
    """How one step optimises."""

    learning_rate: float
    weight_decay: float = 0.01
    warmup: float = 0.06  # share of all batches
    clip: float = 1.0  # gradient norm
    checkpoint_every: int = 100  # batches


def optimise(
    name: str,
    model: nn.Module,
    batches: Sequence[Batch],
    loss_of: Callable[[Batch], Tensor],
    schedule: Schedule,
    run: RunFolder,
) -> None:
    """Train `model` in place on `batches`, in order, resuming from the run folder's checkpoint of step `name`.

    A resumed run takes the same batches in the same order, so it ends with the same weights. Raises TrainingError when
    the loss is not a number; the last checkpoint stays as it was.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, betas=(0.9, 0.98), fused=True
    )
    total = len(batches)
    warmup = max(1, int(total * schedule.warmup))
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: min((at + 1) / warmup, max(0.0, (total - at) / max(1, total - warmup)))
    )
    first = 0
    if (saved := run.load_checkpoint(name)) is not None:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])
        first = saved["batch"]
    model.train()
    recent = 0.0
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.4f}"))
    with Progress(*columns) as progress:
        task = progress.add_task(name, total=total, completed=first, loss=math.nan)
        for at in range(first, total):
            loss = loss_of(batches[at])
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingError(f"{name}: loss is {value} at batch {at}; lower the learning rate and start again")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimizer.step()
            scheduler.step()
            recent = value if at == first else 0.98 * recent + 0.02 * value
            progress.update(task, advance=1, loss=recent)
            if (at + 1) % schedule.checkpoint_every == 0 or at + 1 == total:
                run.log(step=name, batch=at + 1, of=total, loss=round(recent, 5))
                run.save_checkpoint(
                    name,
                    {
                        "model": model.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "scheduler": scheduler.state_dict(),
                        "batch": at + 1,
                    },
                )


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
