"""Measures the suite offline: relevance on judged data, with intervals and baselines."""
