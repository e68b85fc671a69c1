"""A paired significance test: may two systems' values on the same queries differ as much by chance?"""

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 10_000


def sign_flip_p_value(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of a mean difference as far from 0, were each query's sign a coin's throw; in (0, 1].

    Sign-flip permutation (Fisher 1935; Smucker et al. 2007 for retrieval), 10,000 drawn permutations.
    """
    observed = np.asarray(differences, dtype=np.float64)
    generator = np.random.default_rng(seed)
    # One permutation at a time: with tens of thousands of queries all at once would take gigabytes.
    means = np.array([generator.choice((-1.0, 1.0), size=len(observed)) @ observed for _ in range(_RESAMPLES)])
    as_far = np.abs(means / len(observed)) >= abs(observed.mean()) - 1e-12
    return (1 + int(as_far.sum())) / (1 + _RESAMPLES)
