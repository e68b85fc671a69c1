"""Load over HTTP/1.1, for baselines that speak nothing else: some clients, each of whom asks again once answered."""

import http
import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What the clients saw: good answers per second, times of the good ones, and how many were not good."""

    per_second: float
    p50_ms: float
    p99_ms: float
    good: int
    errors: int


def load_http(url: str, bodies: Sequence[Any], *, clients: int, seconds: float) -> Answered:
    """Posts the bodies as JSON, in turns, until the time is over; what is under way then is waited for."""
    address, numbers = urlsplit(url), count()
    taken_ms: list[float] = []
    errors: list[int | str] = []
    started_s = time.perf_counter()

    def client() -> None:
        connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_S)
        while time.perf_counter() - started_s < seconds:
            body = json.dumps(bodies[next(numbers) % len(bodies)]).encode()
            asked_s = time.perf_counter()
            try:
                connection.request("POST", address.path, body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                errors.append(repr(error))
                continue
            if answer.status == http.HTTPStatus.OK:
                taken_ms.append((time.perf_counter() - asked_s) * 1e3)
            else:
                errors.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - started_s
    cuts = quantiles(taken_ms, n=100) if len(taken_ms) > 1 else [*taken_ms, 0.0] * 99
    return Answered(len(taken_ms) / took_s, cuts[49], cuts[98], len(taken_ms), len(errors))
