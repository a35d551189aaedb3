"""TCP throughput between two name spaces, or from a VM to one: zeros for some seconds; the receiver prints Mbit/s."""
import socket
import sys
import time

BUFFER = 1 << 20


def receive(address: str, port: int) -> None:
    with socket.create_server((address, port)) as server:
        server.settimeout(60)
        connection, _ = server.accept()
        buffer = bytearray(BUFFER)
        begun, total = time.monotonic(), 0
        while count := connection.recv_into(buffer):
            total += count
        print(f"{total * 8 / (time.monotonic() - begun) / 1e6:.1f}")


def send(address: str, port: int, seconds: float) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            connection = socket.create_connection((address, port), timeout=20)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    zeros, until = bytes(BUFFER), time.monotonic() + seconds
    with connection:
        while time.monotonic() < until:
            connection.sendall(zeros)


if sys.argv[1] == "receive":
    receive(sys.argv[2], int(sys.argv[3]))
else:
    send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
