"""Forking a serving process: refused, and said."""

import subprocess
import sys
import textwrap


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own; the timeout ends one that hangs."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_forked_child_ends_at_once_and_says_why() -> None:
    """grpc#13464 (case 5): a child forked after channels existed hung in its first call, timeouts ignored."""
    done = run(
        """
        import os
        from vitrine.fork import refuse_fork

        refuse_fork()
        child = os.fork()
        if child == 0:
            print("the child goes on")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert done.stdout == "70\n"
    assert "must not be forked" in done.stderr
    assert "get_context('spawn')" in done.stderr


def test_process_pools_spawn() -> None:
    """grpc#31885 (case 7): a process pool started after the server."""
    done = run(
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from vitrine.fork import refuse_fork

        if __name__ == "__main__":
            refuse_fork()
            assert multiprocessing.get_start_method() == "spawn"
            with ProcessPoolExecutor(1) as pool:
                print(pool.submit(abs, -7).result(timeout=50))
        """
    )
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr


def test_subprocesses_of_a_serving_process_work() -> None:
    """grpc#17093 (case 6): fork and exec in handlers hung."""
    done = run(
        """
        import asyncio
        import grpc.aio
        from vitrine.fork import refuse_fork
        from vitrine.server import Server
        from vitrine.server_settings import ServerSettings

        async def main():
            refuse_fork()
            server = Server("test", ServerSettings())
            await server.listen([])
            for _ in range(20):
                child = await asyncio.create_subprocess_exec("true")
                assert await child.wait() == 0
            await server.stop(0)
            print("done")

        asyncio.run(main())
        """
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_a_start_method_that_forks_is_refused() -> None:
    done = run(
        """
        import multiprocessing
        from vitrine.errors import FailedPrecondition
        from vitrine.fork import refuse_fork

        multiprocessing.set_start_method("fork")
        try:
            refuse_fork()
        except FailedPrecondition as error:
            print(error.message)
        """
    )
    assert "the multiprocessing start method is 'fork'" in done.stdout
