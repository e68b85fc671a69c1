"""The processes that train together, as torchrun or `accelerate launch` started them; one where neither did."""

import atexit
from datetime import timedelta
from functools import cache
from typing import Protocol

import torch
from accelerate import PartialState
from accelerate.utils import gather_object, reduce
from torch import Tensor, nn

# One process may make a step's inputs while the others wait.
_PATIENCE = timedelta(days=1)


class Processes(Protocol):
    """What training asks of accelerate's PartialState."""

    num_processes: int
    process_index: int
    is_main_process: bool
    device: torch.device

    def wait_for_everyone(self) -> None:
        """Return when all processes have come here."""
        ...


@cache
def processes() -> Processes:
    """This process among the others; the first call meets them."""
    # Without cpu=True accelerate takes processes on a machine without accelerator for strangers.
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=_PATIENCE)
    if state.use_distributed:
        atexit.register(state.destroy_process_group)
    found: Processes = state
    return found


def summed(values: Tensor) -> Tensor:
    """The sum over all processes of a tensor on the processes' device."""
    total: Tensor = reduce(values, "sum")
    return total


def gathered(value: Tensor) -> list[Tensor]:
    """Every process's value, in the order of their numbers."""
    values: list[Tensor] = gather_object([value])
    return values


def sum_gradients(parameters: list[nn.Parameter]) -> None:
    """Replace each parameter's gradient by its sum over all processes; one that no process has stays None.

    Gradients are summed here, once a step, and not by DistributedDataParallel: losses close over the model itself and
    call parts of it, where that wrapper's hooks do not reach.
    """
    if processes().num_processes == 1:
        return
    device = processes().device
    present = summed(torch.tensor([float(one.grad is not None) for one in parameters], device=device)).tolist()
    used = [one for one, count in zip(parameters, present, strict=True) if count]
    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in used]
    joined = summed(torch.cat([grad.reshape(-1) for grad in grads]))
    for one, grad in zip(used, torch.split(joined, [one.numel() for one in used]), strict=True):
        one.grad = grad.view_as(one)
