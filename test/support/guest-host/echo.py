"""Echo connections: echo.py serve ADDRESS PORT, echo.py request ADDRESS PORT CONNECTIONS."""

import socket
import socketserver
import sys

REQUEST = b"x" * 20_000


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65_536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def request(address):
    with socket.create_connection(address) as connection:
        connection.sendall(REQUEST)
        missing = len(REQUEST)
        while missing > 0:
            missing -= len(connection.recv(65_536))


mode, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if mode == "serve":
    Server((host, port), Echo).serve_forever()
for _ in range(int(sys.argv[4])):
    request((host, port))
