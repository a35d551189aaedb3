"""What Linux makes of packets with offloads, for a network device that has none.

Reads lines of "HEADER FRAME" (a virtio-net header of 10 bytes and a frame, in hex); for each it prints a line: the frames
that came out of the device, in hex, or the error that the kernel gave. The frames go in by a packet socket with
PACKET_VNET_HDR, and come out of a tap without offloads: in between is the kernel's own segmentation. Needs root.
"""
import fcntl
import os
import socket
import struct
import sys

TUNSETIFF, TUNSETOFFLOAD, SIOCSIFFLAGS, SIOCSIFMTU, SIOCSIFTXQLEN = 0x400454CA, 0x400454D0, 0x8914, 0x8922, 0x8943
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_UP, IFF_RUNNING = 0x2, 0x1000, 0x4000, 0x1, 0x40
SOL_PACKET, PACKET_VNET_HDR = 263, 15
HEADER = 10
ALL_ZERO = bytes(HEADER)
# Ends what belongs to one packet: a frame of a local experimental EtherType (IEEE 802).
MARK = bytes([2, 2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 0x88, 0xB5]) + bytes(46)


def open_tap():
    tap = os.open("/dev/net/tun", os.O_RDWR)
    answer = fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"igtest%d", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    name = answer[:16].split(b"\0")[0]
    fcntl.ioctl(tap, TUNSETOFFLOAD, 0)
    with open(f"/proc/sys/net/ipv6/conf/{name.decode()}/disable_ipv6", "w") as file:
        file.write("1")  # nothing but what we send
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFTXQLEN, struct.pack("16si20x", name, 20000))
        fcntl.ioctl(control, SIOCSIFMTU, struct.pack("16si20x", name, 65000))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, IFF_UP | IFF_RUNNING))
    return tap, name.decode()


def main():
    tap, name = open_tap()
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sender.bind((name, 0))
    for line in sys.stdin:
        header, frame = (bytes.fromhex(word) for word in line.split())
        try:
            sender.send(header + frame)
            error = ""
        except OSError as refused:
            error = refused.strerror
        sender.send(ALL_ZERO + MARK)
        frames = []
        while True:
            got = os.read(tap, 70000)
            if got[HEADER:] == MARK:
                break
            frames.append(got.hex())
        print("! " + error if error else " ".join(frames), flush=True)


main()
