"""Who calls the public API, and what each may do: API keys, signed tokens, scopes, rates, and the audit log."""
