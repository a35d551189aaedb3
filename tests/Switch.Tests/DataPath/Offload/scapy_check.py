"""Reads frames in hex, a line each; prints for each what scapy finds wrong in it, or "ok".

Scapy takes the frame apart by its own rules, and makes it anew with lengths and checksums of its own: the result must be
the same bytes.
"""
import sys

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether


def wrong(data):
    packet = Ether(data)
    layers = packet.layers()
    if IP not in layers and IPv6 not in layers:
        return "no IP in " + packet.summary()
    transport = TCP if TCP in layers else UDP if UDP in layers else None
    if transport is None:
        return "no TCP, no UDP in " + packet.summary()
    for layer, fields in ((IP, ("len", "chksum")), (IPv6, ("plen",)), (transport, ("chksum",)), (UDP, ("len",))):
        if layer in layers:
            for field in fields:
                delattr(packet[layer], field)
    made = bytes(packet)
    if made == data:
        return "ok"
    at = next((i for i, (a, b) in enumerate(zip(made, data)) if a != b), min(len(made), len(data)))
    return f"differs at byte {at} of {len(data)} ({len(made)} from scapy): {made[at:at + 4].hex()} and {data[at:at + 4].hex()}"


for line in sys.stdin:
    print(wrong(bytes.fromhex(line)), flush=True)
