"""Questions to a running engine, asked as the gateway asks them."""

from dataclasses import dataclass
from typing import Any

import requests


@dataclass(frozen=True)
class Engine:
    """A running engine, asked as the gateway asks it."""

    port: int
    key: str
    http: requests.Session

    def ask(self, path: str, body: object = None, **headers: str) -> requests.Response:
        """GET, or POST where there is a body, with the key."""
        return self.http.request(
            "GET" if body is None else "POST",
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}", **headers},
            timeout=30,
        )

    def json(self, path: str, body: object = None) -> Any:
        """Ask, and return the JSON of an answer that is 200."""
        response = self.ask(path, body)
        assert response.status_code == 200, response.text
        return response.json()


def chat(content: str, **options: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}], "temperature": 0, **options}


def requests_inside(engine: Engine) -> float:
    """Count the requests that run or wait, as the engine's own metrics tell."""
    numbers = dict(
        line.rsplit(" ", 1)
        for line in engine.ask("/metrics").text.splitlines()
        if not line.startswith("#")
    )
    return float(numbers["llamacpp:requests_processing"]) + float(
        numbers["llamacpp:requests_deferred"]
    )
