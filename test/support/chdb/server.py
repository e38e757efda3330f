"""ClickHouse's HTTP interface in front of an engine inside this process (chdb), for the tests and benches.

    python server.py DIRECTORY

Prints the port that it listens on, and ends when standard input is closed. As with ClickHouse, a request is one
statement, as the body or as `query` with the data of an INSERT as the body; `param_NAME`, `database` and settings come
in the URL. A statement that fails gets status 500 and the engine's message.
"""

import json
import os
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chdb.session import Session

# What is no setting of the engine.
INTERFACE = {"query", "database", "default_format"}


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        arguments = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "surrogateescape")
        # The data of an INSERT stands behind its statement, on a line of its own.
        statement = f"{arguments['query']}\n{body}" if "query" in arguments else body
        try:
            self.answer(200, *self.run(statement, arguments))
        except Exception as error:
            self.answer(500, str(error).encode(), 0)

    def run(self, statement, arguments):
        # One statement at a time: what a request sets is the session's.
        with self.server.turn:
            return self.run_alone(self.server.session, statement, arguments)

    def run_alone(self, session, statement, arguments):
        session.query(f"USE {arguments.get('database', 'default')}")
        changed = [name for name in arguments if name not in INTERFACE]
        for name in changed:
            session.query(f"SET {name} = {quoted(arguments[name])}")
        try:
            result = session.query(statement, arguments.get("default_format", "TabSeparated"))
            return result.bytes() or b"", result.storage_rows_read()
        finally:
            for name in changed:
                if not name.startswith("param_"):
                    session.query(f"SET {name} = DEFAULT")

    def answer(self, status, body, rows_read):
        self.send_response(status)
        self.send_header("X-ClickHouse-Summary", json.dumps({"read_rows": str(rows_read)}))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: what fails is in the answer."""


# A client may keep its connection: each has a thread.
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.turn = threading.Lock()
server.session = Session(sys.argv[1])
print(server.server_port, flush=True)


def end_with_stdin():
    sys.stdin.buffer.read()
    # The engine's threads may wait for Kafka; the directory is the test's and goes away with it.
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
server.serve_forever()
