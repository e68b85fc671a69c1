"""`vitrine key …`: makes, lists and revokes API keys, in the file that the gateway follows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.auth.scopes import Scope

app = typer.Typer(no_args_is_help=True, help="API keys, kept as hashes in a file that running gateways follow.")

_File = Annotated[
    Path | None,
    typer.Option("--file", help="File of the keys.", show_default="VITRINE_AUTH_KEYS_FILE, else data/keys.json"),
]
_DEFAULT_FILE = Path("data/keys.json")


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Who the key is for, as logs will show it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; more than one may be given.")],
    rate: Annotated[float | None, typer.Option(min=0.001, help="Calls a second.", show_default="the gateway's")] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="Days until it expires.", show_default="never")] = None,
    file: _File = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from gateway.auth.api_keys import add_key, new_key

    path = _path(file)
    expire_time = datetime.now(UTC) + timedelta(days=days) if days else None
    text, kept = new_key(name, tuple(dict.fromkeys(scope)), rate, expire_time)
    add_key(path, kept)
    typer.echo(f"{name} is in {path}. Its key, which is not shown again:", err=True)
    typer.echo(text)


@app.command("list")
def list_keys(file: _File = None) -> None:
    """List the keys' names and rights."""
    from rich.console import Console
    from rich.table import Table

    from gateway.auth.api_keys import read_keys

    table = Table("name", "scopes", "calls/s", "made", "expires")
    for key in read_keys(_path(file)).keys:
        expires = f"{key.expire_time:%Y-%m-%d %H:%M}" if key.expire_time else "never"
        rate = f"{key.rate_per_s:g}" if key.rate_per_s else "as the gateway says"
        table.add_row(key.name, ", ".join(key.scopes), rate, f"{key.create_time:%Y-%m-%d %H:%M}", expires)
    Console().print(table)


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")], file: _File = None) -> None:
    """Take a key away; running gateways refuse it within two seconds."""
    from gateway.auth.api_keys import remove_key

    path = _path(file)
    remove_key(path, name)
    typer.echo(f"{name} is taken out of {path}")


def _path(file: Path | None) -> Path:
    from gateway.auth.settings import AuthSettings

    return file or AuthSettings().keys_file or _DEFAULT_FILE
