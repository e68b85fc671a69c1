"""`python -m cli` is `vitrine`."""

from cli.main import app

if __name__ == "__main__":
    app()
