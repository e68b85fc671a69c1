"""`python -m examples`: what is skipped, what runs, and what fails; without any toolchain."""

import pytest

from examples import __main__ as command
from examples.client import CLIENTS, FOLDER, Client, Tool


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that need not be started."""
    monkeypatch.setenv("ADDRESS", "127.0.0.1:1")


def outcome(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *clients: Client) -> tuple[int, str]:
    """Exit status, and what is said at the end."""
    monkeypatch.setattr(command, "CLIENTS", clients)
    status = command.main([])
    return status, capfd.readouterr().out.partition("examples:\n")[2]


def _tool(shell: str) -> Tool:
    """One that answers as the shell's command does."""
    return Tool("Rust", (1, 26), ("sh", "-c", shell), "v")


def test_an_example_runs_in_its_folder_and_is_told_the_address(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client("go", (_tool("echo v1.26.3"),), ("test -f main.go",), 'test "$ADDRESS" = 127.0.0.1:1')
    assert outcome(capfd, monkeypatch, client) == (0, "  go: ran\n")


def test_one_whose_toolchain_is_absent_or_too_old_is_skipped_and_says_what_is_needed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Tool("Rust", (1, 26), ("no-such-compiler", "--version"), "v")
    old, cannot = _tool("echo v1.9.12"), _tool("echo 'no newer one to be had' >&2; exit 1")
    tools = {"go": absent, "typescript": old, "java": cannot}
    clients = [Client(name, (tool,), ("false",), "false") for name, tool in tools.items()]
    needed = "skipped: Rust 1.26 or newer is needed, and"
    said = (
        f"  go: {needed} no-such-compiler is not installed\n"
        f"  typescript: {needed} this is 1.9.12\n"
        f"  java: {needed} sh -c echo 'no newer one to be had' >&2; exit 1 says: no newer one to be had\n"
    )
    assert outcome(capfd, monkeypatch, *clients) == (0, said)


def test_one_that_fails_fails_all_and_the_others_are_run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, failing, good = (
        Client("java", (), ("exit 3",), "true"),
        Client("typescript", (), (), "exit 4"),
        Client("go", (), (), "true"),
    )
    said = "  java: FAILED to build\n  typescript: FAILED\n  go: ran\n"
    assert outcome(capfd, monkeypatch, broken, failing, good) == (1, said)


def test_a_name_that_is_none_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["rust"])
    assert "there is no example rust" in capfd.readouterr().err


def test_each_example_has_its_folder_and_no_file_names_where_packages_come_from() -> None:
    for client in CLIENTS:
        assert (FOLDER / client.name).is_dir()
    lock = (FOLDER / "typescript/package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
