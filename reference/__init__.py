"""The reference pages of docs/, made from the code: settings, API, metrics and commands."""
