#!/usr/bin/python3
"""aiortc as the foreign peer of an interop test: echoes on eight channels until it is closed.

    aiortc_driver.py --role offer|answer [--deadline SECONDS] PEER [ARGUMENT...]

The role is aiortc's own; PEER gets the other one. PEER is started with pipes: it reads and writes
descriptions as lines of JSON (docs/protocol.md), which are converted from and to SDP here. What it
writes after its description goes on to our output. Our last line is
{"opened": channels, "echoed": [bytes of each], "closed": by the peer}. Exit status 0: PEER's was,
all channels opened, and they were closed by the peer."""

import argparse
import asyncio
import json
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcsctptransport import InboundStream

CHANNELS = 8
SCTP_PORT = 5000
LINE_BYTES_MAX = 1 << 16


def pop_all_messages(stream, pop=InboundStream.pop_messages):
    """Every message of a stream that is complete and in order.

    aiortc (1.4.0, and 1.15.0 still) hands out one for each chunk that arrives, as long as the TSNs
    of other streams lie between the messages: once a lost chunk comes, those that waited behind it
    stay where they are, all acknowledged, until the stream's next chunk, which need not come. Found
    in its descendant too: https://github.com/shinyoshiaki/werift-webrtc/issues/706"""
    found = True
    while found:
        found = False
        for message in pop(stream):
            found = True
            yield message


InboundStream.pop_messages = pop_all_messages


class PeerError(Exception):
    """The peer did not do its part."""


def json_from_sdp(sdp):
    """The description in an SDP of one data m-line, as a dictionary."""
    found = {"candidates": [], "options": []}
    for line in sdp.splitlines():
        key, _, value = line.partition(":")
        if key == "a=ice-ufrag":
            found["ufrag"] = value
        elif key == "a=ice-pwd":
            found["pwd"] = value
        elif key == "a=setup":
            found["setup"] = value
        elif key == "a=fingerprint" and value.lower().startswith("sha-256 "):
            found["fingerprint"] = "sha-256 " + value.split()[1].upper()
        elif key == "a=candidate":
            found["candidates"].append("candidate:" + value)
    return found


def sdp_from_json(description):
    """An SDP that says what the dictionary does, with all candidates."""
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:" + description["ufrag"],
        "a=ice-pwd:" + description["pwd"],
        "a=fingerprint:" + description["fingerprint"],
        "a=setup:" + description["setup"],
        f"a=sctp-port:{SCTP_PORT}",
        "a=max-message-size:262144",
    ]
    lines += ["a=" + candidate for candidate in description["candidates"]]
    lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


class Echo:
    """Eight negotiated channels that send back what they receive."""

    def __init__(self, connection):
        self.opened = 0
        self.echoed = [0] * CHANNELS
        self.closed = asyncio.Event()
        self.open_channels = set(range(CHANNELS))
        for number in range(CHANNELS):
            self.add(connection, number)

    def add(self, connection, number):
        channel = connection.createDataChannel(f"channel-{number}", negotiated=True, id=number)

        @channel.on("open")
        def on_open():
            self.opened += 1

        @channel.on("message")
        def on_message(message):
            data = message.encode() if isinstance(message, str) else message
            self.echoed[number] += len(data)
            channel.send(data)

        @channel.on("close")
        def on_close():
            self.open_channels.discard(number)
            if not self.open_channels:
                self.closed.set()


async def tell(peer, connection):
    """Writes our description, complete with candidates, to the peer."""
    line = json.dumps(json_from_sdp(connection.localDescription.sdp)) + "\n"
    peer.stdin.write(line.encode())
    await peer.stdin.drain()
    peer.stdin.close()


async def hear(peer, connection, kind):
    line = await peer.stdout.readline()
    if not line:
        raise PeerError("the peer ended without a description")
    sdp = sdp_from_json(json.loads(line))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type=kind))


async def connect(role, peer, connection):
    if role == "offer":
        await connection.setLocalDescription(await connection.createOffer())
        await tell(peer, connection)
        await hear(peer, connection, "answer")
    else:
        await hear(peer, connection, "offer")
        await connection.setLocalDescription(await connection.createAnswer())
        await tell(peer, connection)


async def run(role, command):
    peer = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    connection = RTCPeerConnection()
    echo = Echo(connection)
    try:
        await connect(role, peer, connection)
        async for line in peer.stdout:
            sys.stdout.write(line.decode())
        status = await peer.wait()
        if status == 0:
            await echo.closed.wait()
    finally:
        if peer.returncode is None:
            peer.kill()
            await peer.wait()
        result = {"opened": echo.opened, "echoed": echo.echoed, "closed": echo.closed.is_set()}
        print(json.dumps(result), flush=True)
        await connection.close()
    return status == 0 and echo.opened == CHANNELS and echo.closed.is_set()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--role", choices=["offer", "answer"], required=True)
    parser.add_argument("--deadline", type=float, default=90, help="seconds until it has failed")
    parser.add_argument("peer", nargs=argparse.REMAINDER, help="command of the peer")
    arguments = parser.parse_args()
    if not arguments.peer:
        parser.error("the peer's command is missing")
    try:
        passed = asyncio.run(
            asyncio.wait_for(run(arguments.role, arguments.peer), arguments.deadline)
        )
    except (PeerError, ConnectionError) as error:
        sys.exit(f"aiortc_driver: {error}")
    except asyncio.TimeoutError:
        sys.exit(f"aiortc_driver: not done after {arguments.deadline:g} s")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
