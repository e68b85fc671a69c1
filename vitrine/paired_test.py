"""A paired significance test: may two systems' values on the same queries differ as much by chance?"""

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 10_000


def sign_flip_p_value(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of a mean difference as far from 0, were each query's sign a coin's throw; in (0, 1].

    Sign-flip permutation (Fisher 1935; Smucker et al. 2007 for retrieval), 10,000 drawn permutations.
    """
    observed = np.asarray(differences, dtype=np.float64)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(_RESAMPLES, len(observed)))
    as_far = np.abs((signs * observed).mean(axis=1)) >= abs(observed.mean()) - 1e-12
    return (1 + int(as_far.sum())) / (1 + _RESAMPLES)
