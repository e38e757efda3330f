"""
Walks of TCP's states that ordinary programs rarely make, each with both of its ends in this process.

    walks.py ADDRESS FIRST_PORT     in a network namespace of its own, as root

Walk number N has the port FIRST_PORT + N. One line of JSON for each walk: its name, its port, and what it saw. A walk waits for
what the kernel shows, never for a time.
"""
import contextlib, json, os, socket, struct, subprocess, sys, time

TCP_FASTOPEN = getattr(socket, "TCP_FASTOPEN", 23)
TCP_FASTOPEN_CONNECT = 30
MSG_FASTOPEN = 0x20000000
TCP_ESTABLISHED, TCP_SYN_RECV, TCP_FIN_WAIT2 = 1, 3, 5
DEADLINE_S = 60


def wait(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.005)


def state_of(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0]


def counter(name):
    with open("/proc/net/snmp") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    return int(values[names.index(name)])


def stream(family=socket.AF_INET):
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(DEADLINE_S)
    return sock


def listener(address, port, family=socket.AF_INET):
    sock = stream(family)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((address, port))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    sock.listen(16)
    return sock


def disconnect(sock):
    """connect(2) with AF_UNSPEC, which Python's own connect cannot say."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(sock.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16) != 0:
        raise OSError(ctypes.get_errno(), "connect with AF_UNSPEC")


@contextlib.contextmanager
def dropping(rule):
    nft = lambda text: subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)
    nft("table ip walks { chain incoming { type filter hook input priority 0; %s drop; }; }" % rule)
    try:
        yield
    finally:
        nft("delete table ip walks")


def dropping_acks_to(port):
    """The last packet of a handshake, and all that comes after it."""
    return dropping("tcp dport %d tcp flags & (syn|ack) == ack" % port)


def read_to_end(*socks):
    for sock in socks:
        while sock.recv(4096):
            pass


def close_in_order(first, second):
    """`first` sends its FIN first."""
    first.shutdown(socket.SHUT_WR)
    read_to_end(second)
    second.close()
    read_to_end(first)
    first.close()


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def fast_open(address, port):
    server, client = listener(address, port), stream()
    client.sendto(b"hello", MSG_FASTOPEN, (address, port))
    return server, client


def fast_open_closed_early(address, port):
    with dropping_acks_to(port):
        server, client = fast_open(address, port)
        child, _ = server.accept()
        begun, state = time.monotonic(), state_of(child)
        child.recv(100)
        child.sendall(b"answer")
        child.close()
    read_to_end(client)
    client.close()
    server.close()
    return {"state_at_accept": state, "longest_ms": (time.monotonic() - begun) * 1000 + 1000}


def fast_open_established(address, port):
    server, client = fast_open(address, port)
    child, _ = server.accept()
    wait(lambda: state_of(child) == TCP_ESTABLISHED, "the handshake")
    close_in_order(client, child)
    server.close()


def fast_open_aborted(address, port):
    with dropping_acks_to(port):
        server, client = fast_open(address, port)
        child, _ = server.accept()
        abort(child)
    with contextlib.suppress(ConnectionError):
        read_to_end(client)
    client.close()
    server.close()


def fast_open_syn_ack_lost(address, port):
    before = counter("RetransSegs")
    with dropping_acks_to(port):
        server, client = fast_open(address, port)
        child, _ = server.accept()
        wait(lambda: counter("RetransSegs") > before, "a SYN-ACK to be sent again")
    wait(lambda: state_of(child) == TCP_ESTABLISHED, "the handshake")
    close_in_order(client, child)
    server.close()


def fast_open_connect(address, port):
    server, client = listener(address, port), stream()
    client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    client.connect((address, port))
    client.sendall(b"hello")
    child, _ = server.accept()
    close_in_order(client, child)
    server.close()


def both_at_once(address, port):
    ends = [stream(), stream()]
    for sock, own in zip(ends, (port, port + 500)):
        sock.bind((address, own))
        sock.setblocking(False)
    with dropping("tcp flags == syn"):
        for sock, peer in zip(ends, (port + 500, port)):
            sock.connect_ex((address, peer))
    for sock in ends:
        wait(lambda: state_of(sock) == TCP_ESTABLISHED, "both to be established")
        sock.settimeout(DEADLINE_S)
    close_in_order(*ends)


def with_itself(address, port):
    sock = stream()
    sock.bind((address, port))
    sock.connect((address, port))
    sock.sendall(b"x")
    sock.recv(1)
    sock.close()


def half_closed(address, port):
    server, client = listener(address, port), stream()
    client.connect((address, port))
    child, _ = server.accept()
    client.shutdown(socket.SHUT_WR)
    read_to_end(child)
    wait(lambda: state_of(client) == TCP_FIN_WAIT2, "the half-closed state")
    begun = time.monotonic()
    for _ in range(200):
        child.sendall(b"x" * 1000)
    held = time.monotonic() - begun
    child.close()
    read_to_end(client)
    client.close()
    server.close()
    return {"shortest_ms": held * 1000}


def refused(address, port):
    with contextlib.suppress(ConnectionRefusedError):
        stream().connect((address, port))


def port_zero(address, port):
    sock = stream()
    sock.bind((address, port))
    with contextlib.suppress(ConnectionRefusedError):
        sock.connect((address, 0))


def listen_without_bind(address, port):
    sock = stream()
    sock.listen(1)
    chosen = sock.getsockname()[1]
    sock.close()
    return {"chosen": chosen}


def used_again(address, port):
    server, sock = listener(address, port), stream()
    ports = []
    for _ in range(2):
        sock.connect((address, port))
        ports.append(sock.getsockname()[1])
        child, _ = server.accept()
        disconnect(sock)
        with contextlib.suppress(ConnectionError):
            read_to_end(child)
        child.close()
    sock.listen(1)
    chosen = sock.getsockname()[1]
    client = stream()
    client.bind((address, port + 500))
    client.connect((address, chosen))
    child, _ = sock.accept()
    close_in_order(client, child)
    sock.close()
    server.close()
    return {"ports": ports, "chosen": chosen}


def ipv4_in_ipv6(address, port):
    server, client = listener("::", port, socket.AF_INET6), stream(socket.AF_INET6)
    client.connect(("::ffff:" + address, port))
    child, _ = server.accept()
    close_in_order(client, child)
    server.close()


def any_address(address, port):
    server, client = listener("0.0.0.0", port), stream()
    client.connect(("0.0.0.0", port))
    child, _ = server.accept()
    close_in_order(client, child)
    server.close()


def any_address_of_ipv6(address, port):
    server, client = listener("::", port, socket.AF_INET6), stream(socket.AF_INET6)
    client.connect(("::", port))
    child, _ = server.accept()
    close_in_order(client, child)
    server.close()


def accepted_and_closed_by_others(address, port):
    server, client = listener(address, port), stream()
    client.connect((address, port))
    acceptor = os.fork()
    if acceptor == 0:
        child, _ = server.accept()
        closer = os.fork()
        if closer == 0:
            read_to_end(child)
            child.shutdown(socket.SHUT_WR)
            os._exit(0)
        child.close()
        print(json.dumps({"name": "closer", "pid": closer}), flush=True)
        os.waitpid(closer, 0)
        os._exit(0)
    client.shutdown(socket.SHUT_WR)
    read_to_end(client)
    os.waitpid(acceptor, 0)
    client.close()
    server.close()


def never_accepted(address, port):
    server, client = listener(address, port), stream()
    client.connect((address, port))
    server.close()
    with contextlib.suppress(ConnectionError):
        read_to_end(client)
    client.close()


def reset_before_accept(address, port):
    server, client = listener(address, port), stream()
    client.connect((address, port))
    abort(client)
    child, _ = server.accept()
    with contextlib.suppress(ConnectionError):
        read_to_end(child)
    child.close()
    server.close()


def time_wait_again(address, port):
    server = listener(address, port)
    for _ in range(3):
        client = stream()
        client.bind((address, port + 500))
        client.connect((address, port))
        child, _ = server.accept()
        # The server has TIME_WAIT, from which the next SYN takes the ends.
        close_in_order(child, client)
    server.close()


def deferred_accept(address, port):
    server, client = listener(address, port), stream()
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
    client.connect((address, port))
    client.sendall(b"x")
    child, _ = server.accept()
    close_in_order(client, child)
    server.close()


def closed_by_kernel_thread(address, port):
    """The last reference is in flight in a cycle of Unix sockets, which a worker of the kernel collects."""
    server, client = listener(address, port), stream()
    client.connect((address, port))
    child, _ = server.accept()
    sender, receiver = socket.socketpair()
    socket.send_fds(sender, [b"x"], [child.fileno(), receiver.fileno()])
    for sock in (child, receiver, sender):
        sock.close()
    read_to_end(client)
    client.close()
    server.close()


WALKS = [
    fast_open_closed_early, fast_open_established, fast_open_aborted, fast_open_syn_ack_lost, fast_open_connect,
    both_at_once, with_itself, half_closed, refused, port_zero, listen_without_bind, used_again, ipv4_in_ipv6,
    any_address, any_address_of_ipv6, accepted_and_closed_by_others, never_accepted, reset_before_accept,
    time_wait_again, deferred_accept, closed_by_kernel_thread,
]

if __name__ == "__main__":
    address, first_port = sys.argv[1], int(sys.argv[2])
    # Fast Open for both sides, without a cookie (ip-sysctl.rst, tcp_fastopen).
    with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as file:
        file.write(str(0x1 | 0x2 | 0x4 | 0x200))
    for number, walk in enumerate(WALKS):
        facts = walk(address, first_port + number) or {}
        print(json.dumps({"name": walk.__name__, "port": first_port + number, **facts}), flush=True)
