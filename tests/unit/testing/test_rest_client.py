from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from airflow_registry.testing.rest_client import AirflowClient, AirflowRequestError


class Server(HTTPServer):
    """A server that hands out tokens which expire after one use of the path /api/v2/expiring."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokens = 0
        self.seen = []


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization")
        self.server.seen.append((self.command, self.path, token, json.loads(body) if body else None))
        status, found = self.found(token)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    do_GET = do_POST = do_PATCH = answer  # noqa: N815  the base class's names

    def found(self, token):
        if self.path == "/auth/token":
            self.server.tokens += 1
            return 201, {"access_token": f"token-{self.server.tokens}"}
        if self.path.endswith("/expiring") and token == "Bearer token-1":
            return 401, {"detail": "expired"}
        if "xcomEntries" in self.path:
            return (404, {}) if "absent" in self.path else (200, {"value": [1]})
        if self.path.endswith("/broken"):
            return 500, {"detail": "it broke"}
        return 200, {"path": self.path}

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(server):
    return AirflowClient(port=server.server_address[1], password="secret")


def test_the_token_is_fetched_once(server, client):
    client.get("dags", limit=3)
    client.patch("dags/a", {"is_paused": False})
    assert [(verb, path, token) for verb, path, token, _ in server.seen] == [
        ("POST", "/auth/token", None),
        ("GET", "/api/v2/dags?limit=3", "Bearer token-1"),
        ("PATCH", "/api/v2/dags/a", "Bearer token-1"),
    ]
    assert server.seen[0][3] == {"username": "admin", "password": "secret"}


def test_an_expired_token_is_replaced_and_the_call_repeated(server, client):
    assert client.get("expiring") == {"path": "/api/v2/expiring"}
    assert server.tokens == 2


def test_an_error_says_what_was_asked_and_what_was_answered(client):
    with pytest.raises(AirflowRequestError, match="GET /api/v2/broken: Airflow answered 500.*it broke") as caught:
        client.get("broken")
    assert caught.value.status == 500


def test_a_missing_xcom_is_none_and_a_present_one_its_value(client):
    assert client.xcom("d", "r", "absent") is None
    assert client.xcom("d", "r", "present") == [1]


def test_a_run_id_with_special_characters_stays_one_part_of_the_path(server, client):
    client.run("d", "manual__2026-01-01T00:00:00+00:00/x")
    assert server.seen[-1][1] == "/api/v2/dags/d/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00%2Fx"


def test_a_server_that_is_gone_is_an_error_and_its_health_is_unknown(server, client):
    port = server.server_address[1]
    with pytest.raises(AirflowRequestError, match="does not answer on port 1 ") as caught:
        AirflowClient(port=1).get("dags")
    assert caught.value.status == 0
    assert AirflowClient(port=1).health() == {}
    assert AirflowClient(port=port).get("dags") == {"path": "/api/v2/dags"}
