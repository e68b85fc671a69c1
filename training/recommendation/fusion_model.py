"""Wide & Deep over groups of features, whose contributions add up to the score.

Cheng et al. (2016), "Wide & Deep Learning for Recommender Systems", made additive: the contribution of group g is
gate_g(what is known) * (wide_g(x_g) + deep_g(x_g) - deep_g(0)). The gates are the adaptive combiner: from how long the
history is, what sources know the product and how many events it has, they weigh the groups.
"""

import torch
from torch import Tensor, nn

from gateway.recommendation.features import FEATURES, GROUP_OF, GROUPS, RELATIONS
from training.e5_weights import Floats

_HIDDEN = 8  # of each group
_GATE_HIDDEN = 16
# What the gates read: how much is known of visitor and product, and what the call is for.
KNOWLEDGE = ("history_length", "goes_with", "trained_events", "new", *(f"{name}_known" for name in RELATIONS))
# Wide weights, in logits, that learning starts from; they stay for features that the data never showed.
PRIOR = {
    **{f"{name}_place": 1.0 for name in RELATIONS},
    "category_share": 0.5,
    "brand_share": 0.5,
    "searched_place": 2.0,
    "profile_place": 2.0,
    "popular": 0.5,
    "popular_in_category": 0.5,
    "popular_in_country": 0.5,
    "trending": 0.3,
    "price_fit": 0.5,
    "profile_fit": 1.0,
    "fresh": 0.3,
    "new": 0.1,
    "not_in_stock": -0.5,
}


class WideAndDeep(nn.Module):
    """Features (n, F) to contributions (n, G) and score (n,), which is their sum."""

    scale: Tensor
    prior: Tensor
    belongs: Tensor
    deep_mask: Tensor
    deep_belongs: Tensor

    def __init__(self, spread: Floats) -> None:
        """`spread` (F,): the root mean square of each feature in training; 0 for one that it never showed."""
        super().__init__()
        seen = torch.from_numpy(spread > 0).float()
        belongs = torch.tensor([[float(GROUP_OF[name] == group) for group in GROUPS] for name in FEATURES])
        # Only groups that the data showed have a deep part.
        owners = (seen @ belongs).nonzero().flatten().repeat_interleave(_HIDDEN)
        self.register_buffer("scale", torch.where(seen > 0, 1.0 / torch.from_numpy(spread).clamp(min=1e-6), 1.0))
        self.register_buffer("belongs", belongs)
        self.register_buffer("deep_mask", belongs[:, owners] * seen[:, None])
        self.register_buffer("deep_belongs", nn.functional.one_hot(owners, len(GROUPS)).float())
        prior = torch.tensor([PRIOR.get(name, 0.0) for name in FEATURES])
        self.register_buffer("prior", prior / self.scale)
        # What was learned beyond the prior, so that weight decay draws to it.
        self.wide = nn.Parameter(torch.zeros(len(FEATURES)))
        self.deep = nn.Linear(len(FEATURES), len(owners))
        self.deep_out = nn.Parameter(torch.zeros(len(owners), 1))
        self.known = [FEATURES.index(name) for name in KNOWLEDGE]
        self.gate = nn.Sequential(
            nn.Linear(len(KNOWLEDGE), _GATE_HIDDEN), nn.ReLU(), nn.Linear(_GATE_HIDDEN, len(GROUPS))
        )
        last = self.gate[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Contributions (n, G) and their sum (n,)."""
        scaled = features * self.scale
        wide = scaled @ ((self.prior + self.wide)[:, None] * self.belongs)
        hidden = torch.relu(scaled @ (self.deep.weight.T * self.deep_mask) + self.deep.bias)
        deep = (hidden - torch.relu(self.deep.bias)) @ (self.deep_out * self.deep_belongs)
        gates = 2.0 * torch.sigmoid(self.gate(scaled[:, self.known]))
        contributions = gates * (wide + deep)
        return contributions, contributions.sum(dim=1)
