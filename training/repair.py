"""Distillation that repairs an encoder after pruning: its answers are pulled back to the uncompressed model's.

Embedder: cosine distance of vectors. Ranker: squared distance of logits in units of their spread, and cross-entropy of
each list's softmax (Hinton et al. 2015).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from training.compressed_body import Body
from training.compression import KeptHeads
from training.cross_encoder import pad_pairs, pair_row
from training.e5_weights import Floats
from training.encoder import encode, pad_batch, tokenize
from training.optimisation import Schedule, length_batches, optimise
from training.run_folder import RunFolder
from training.shop_lists import ShopList

Loss = Callable[[list[int]], Tensor]

_CHUNK = 16  # lists scored at once
_PROBED = 12  # lists that tell how much a head matters


@dataclass(frozen=True)
class RepairSettings:
    """How a repair optimises."""

    seed: int = 31
    epochs: int = 1
    rate: float = 2e-4
    batch_tokens: int = 1_024
    batch_lists: int = 4
    max_tokens: int = 48


class Repair:
    """Repairs models against one teacher on one set of lists; the teacher's answers are computed once."""

    def __init__(
        self,
        teacher: Body,
        lists: Sequence[ShopList],
        prompts: dict[str, str],
        settings: RepairSettings,
        run: RunFolder,
    ) -> None:
        self._lists = list(lists)
        self._prompts = prompts
        self._settings = settings
        self._run = run
        self._goals = run.arrays("teacher", lambda: {"goals": self._answers(teacher, teacher.module())})["goals"]

    def repaired(self, step: str, body: Body) -> Body:
        """The body after distillation; resumes the checkpoint of `step`."""
        module = body.module()
        module.model.get_input_embeddings().weight.requires_grad_(False)  # halves a step, and words are not pruned
        loss_of, batches = self._ranker(body, module) if body.head else self._embedder(body, module)
        optimise(step, module, batches, loss_of, Schedule(self._settings.rate), self._run)
        return body.trained(module)

    def change(self, body: Body, kept: KeptHeads) -> float:
        """How far the answers on a few lists move from the teacher's when only these heads are kept."""
        few = replace(body, kept_heads=kept)
        answers = self._answers(few, few.module(), self._lists[:_PROBED])
        return float(np.square(answers - self._goals[: len(answers)]).mean())

    def _texts(self, lists: Sequence[ShopList]) -> list[str]:
        """Each list's query, then its product, as the embedder reads them."""
        query, document = self._prompts.get("query", ""), self._prompts.get("document", "")
        return [text for one in lists for text in (query + one.query, document + one.documents[0])]

    def _pairs(self, body: Body, lists: Sequence[ShopList]) -> list[list[tuple[list[int], list[int]]]]:
        tokenizer, most = body.tokenizer(), self._settings.max_tokens
        found = []
        for one in lists:
            query = tokenize(tokenizer, [one.query], most)[0]
            found.append([pair_row(query, product, most) for product in tokenize(tokenizer, one.documents, most)])
        return found

    @torch.inference_mode()
    def _answers(self, body: Body, module: nn.Module, lists: Sequence[ShopList] | None = None) -> Floats:
        """Vectors (2 lists, d) of an embedder, logits (pairs,) of a ranker."""
        lists = self._lists if lists is None else lists
        module.eval()
        if not body.head:
            rows = tokenize(body.tokenizer(), self._texts(lists), self._settings.max_tokens)
            return encode(module, rows, body.pad_id)
        pairs = self._pairs(body, lists)
        parts = [
            module(*pad_pairs([pair for one in pairs[at : at + _CHUNK] for pair in one], body.pad_id)).numpy()
            for at in range(0, len(pairs), _CHUNK)
        ]
        answers: Floats = np.concatenate(parts)
        return answers

    def _embedder(self, body: Body, module: nn.Module) -> tuple[Loss, list[list[int]]]:
        rows = tokenize(body.tokenizer(), self._texts(self._lists), self._settings.max_tokens)
        goals = torch.from_numpy(self._goals)
        generator = torch.Generator().manual_seed(self._settings.seed)

        def loss_of(batch: list[int]) -> Tensor:
            vectors = module(*pad_batch([rows[row] for row in batch], body.pad_id))
            distance: Tensor = (1.0 - (vectors * goals[batch].to(vectors.device)).sum(dim=-1)).mean()
            return distance

        lengths = [len(row) for row in rows]
        batches = [
            batch
            for _ in range(self._settings.epochs)
            for batch in length_batches(lengths, self._settings.batch_tokens, generator)
        ]
        return loss_of, batches

    def _ranker(self, body: Body, module: nn.Module) -> tuple[Loss, list[list[int]]]:
        pairs = self._pairs(body, self._lists)
        ends = np.cumsum([len(one) for one in pairs])[:-1]
        goals = [torch.from_numpy(part) for part in np.split(self._goals, ends)]
        spread = float(self._goals.std()) + 1e-6
        generator = torch.Generator().manual_seed(self._settings.seed)

        def loss_of(batch: list[int]) -> Tensor:
            logits = module(*pad_pairs([pair for row in batch for pair in pairs[row]], body.pad_id))
            wanted = torch.cat([goals[row] for row in batch]).to(logits.device)
            loss = torch.square((logits - wanted) / spread).mean()
            for score, goal in zip(
                torch.split(logits, [len(pairs[row]) for row in batch]), [goals[row] for row in batch], strict=True
            ):
                goal = torch.softmax(goal.to(logits.device) / spread, dim=0)
                loss = loss - (goal * torch.log_softmax(score / spread, dim=0)).sum() / len(batch)
            return loss

        batches = []
        for _ in range(self._settings.epochs):
            order = torch.randperm(len(pairs), generator=generator).tolist()
            batches += [
                order[at : at + self._settings.batch_lists] for at in range(0, len(order), self._settings.batch_lists)
            ]
        return loss_of, batches
