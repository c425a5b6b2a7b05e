"""A JSON-RPC node that answers what it is told to, over HTTP."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeNode:
    """Answers by method: a value, a function of the parameters, or {"error": ...}."""

    def __init__(self):
        self.answers = {"eth_chainId": hex(31_337)}
        self.asked = []
        self.url = ""

    def respond(self, request):
        self.asked.append((request["method"], request["params"]))
        answer = self.answers.get(request["method"])
        if callable(answer):
            answer = answer(*request["params"])
        head = {"jsonrpc": "2.0", "id": request["id"]}
        if isinstance(answer, dict) and "error" in answer:
            return head | answer
        return head | {"result": answer}


@contextmanager
def fake_node():
    node = FakeNode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = [node.respond(r) for r in body] if isinstance(body, list) else None
            payload = json.dumps(node.respond(body) if answer is None else answer[::-1]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    node.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
