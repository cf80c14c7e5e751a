#!/usr/bin/env python3
"""The line of the WAN bench: a TUN device in each of two network namespaces, and a delay, a rate, a bounded queue
and loss between them, the same in both directions. Root needed; standard library only.

usage: wan-relay.py NEAR_NAMESPACE FAR_NAMESPACE DELAY_MS RATE_MBIT LOSS_PERCENT QUEUE_MS

The delay is one way. A lost packet has used the line before it is lost. Commands by standard input, a line each, are
answered by a line of JSON: "mark" begins to count anew, "report" says what was counted. Ends, and the devices with it, when
standard input ends.
"""
import collections, ctypes, fcntl, gc, json, os, random, select, struct, sys, time

CLONE_NEWNET, TUNSETIFF, IFF_TUN_NO_PI = 0x40000000, 0x400454CA, 0x1001
PACKETS_PER_TURN = 64
libc = ctypes.CDLL("libc.so.6", use_errno=True)


def open_tun(namespace, name):
    handle = os.open("/run/netns/" + namespace, os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(handle)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return tun


class Direction:
    """From one device to the other."""

    def __init__(self, source, target, delay, bytes_per_second, loss, queue_seconds):
        self.source, self.target = source, target
        self.delay, self.bytes_per_second = delay, bytes_per_second
        self.loss, self.queue_seconds = loss, queue_seconds
        self.free_at = 0.0
        self.under_way = collections.deque()
        self.mark()

    def mark(self):
        self.bytes = self.packets = self.lost = self.overflowed = 0
        self.first_at = self.last_at = None

    def take(self):
        for _ in range(PACKETS_PER_TURN):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 != 4:
                continue  # what IPv6 says of itself on every new device
            now = time.monotonic()
            leaves_at = max(now, self.free_at) + len(packet) / self.bytes_per_second
            if leaves_at - now > self.queue_seconds:
                self.overflowed += 1
                continue
            self.free_at = leaves_at
            self.bytes += len(packet)
            self.packets += 1
            self.first_at = self.first_at or now
            self.last_at = now
            if random.random() < self.loss:
                self.lost += 1
            else:
                self.under_way.append((leaves_at + self.delay, packet))

    def deliver(self):
        """Returns seconds until the next packet is due."""
        while self.under_way:
            wait = self.under_way[0][0] - time.monotonic()
            if wait > 0:
                return wait
            try:
                os.write(self.target, self.under_way.popleft()[1])
            except OSError:
                pass  # a device that is not up yet drops, as a line does
        return 1.0

    def report(self):
        names = ("bytes", "packets", "lost", "overflowed", "first_at", "last_at")
        return {name: getattr(self, name) for name in names}


def main():
    near_namespace, far_namespace = sys.argv[1:3]
    delay_ms, rate_mbit, loss_percent, queue_ms = map(float, sys.argv[3:7])
    near, far = open_tun(near_namespace, "wan0"), open_tun(far_namespace, "wan0")
    line = (delay_ms / 1e3, rate_mbit * 1e6 / 8, loss_percent / 100, queue_ms / 1e3)
    up, down = Direction(near, far, *line), Direction(far, near, *line)
    gc.disable()
    os.nice(-15)  # a line does not wait for the programs at its ends
    print(json.dumps({"ready": True}), flush=True)
    while True:
        wait = min(up.deliver(), down.deliver())
        readable = select.select((near, far, 0), (), (), wait)[0]
        if near in readable:
            up.take()
        if far in readable:
            down.take()
        if 0 in readable:
            command = sys.stdin.readline().strip()
            if command == "":
                return
            if command == "mark":
                up.mark()
                down.mark()
            answer = {"now": time.monotonic(), "up": up.report(), "down": down.report()}
            print(json.dumps(answer), flush=True)


main()
