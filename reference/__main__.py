"""`python -m reference` writes the reference pages anew: what they say is changed in the code."""

from pathlib import Path

from reference.pages import pages

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Writes each page that is not as the code has it, and says which."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
