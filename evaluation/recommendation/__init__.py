"""How well recommenders foresee what visitors do next: data sets, protocols, metrics, and what to beat."""
