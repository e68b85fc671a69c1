"""Offline training: base weights -> bilingual student -> fine-tuned, compressed, exported bundles."""
