"""`vitrine doctor`: checks a machine or a running suite, one module a subject, and says what to do."""
