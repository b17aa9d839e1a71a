"""Flows through the links of a laboratory: hawser's and TCP's, and what is sampled of them."""
import json
import os
import threading
import time

import servers

APP, DEVICE = "203.0.113.1", "203.0.113.2"  # of hosts a and b; b's link is the narrow one
PORT = 5001
VIDEO, FILES = 1, 5

# What a full packet of hawser has beside payload: IP and UDP, a DTLS record's header, explicit
# nonce and tag, SCTP's header and that of a DATA chunk (RFC 6347, RFC 5288, RFC 9260).
IP_UDP, DTLS, SCTP = 28, 13 + 8 + 16, 12 + 16
TCP_PACKET = 1500


def plan(link):
    return f"host a addr={APP}\nhost b addr={DEVICE} {link}\n"


class Series:
    """Rows of numbers in the order of their first column, the time."""

    def __init__(self, answer):
        self.columns, self.rows = answer["columns"], answer["rows"]

    def column(self, name):
        i = self.columns.index(name)
        return [row[i] for row in self.rows]

    def seconds(self, begun_us):
        return [(row[0] - begun_us) / 1e6 for row in self.rows]

    def after(self, seconds):
        """Without what came before so many seconds had passed."""
        least = self.rows[0][0] + seconds * 1e6
        return Series({"columns": self.columns,
                       "rows": [row for row in self.rows if row[0] >= least]})

    def grown(self, name):
        values = self.column(name)
        return values[-1] - values[0]

    def mbits(self, name="bytes"):
        """The mean rate."""
        return self.grown(name) * 8 / max(self.rows[-1][0] - self.rows[0][0], 1)

    def rates(self, name="bytes", every=4):
        """Seconds since the first row, and Mbit/s, of so many rows at a time."""
        at, values = self.column("at_us"), self.column(name)
        steps = range(every, len(at), every)
        return ([(at[i] - at[0]) / 1e6 for i in steps],
                [(values[i] - values[i - every]) * 8 / max(at[i] - at[i - every], 1)
                 for i in steps])


class Watch:
    """Looks at the narrow link while something flows: its queue, and what it did to packets."""

    COLUMNS = ("at_us", "queue_us", "offered", "lost", "duplicated", "reordered", "dropped",
               "back_queue_us", "back_offered", "back_lost", "back_duplicated", "back_reordered",
               "back_dropped")

    def __init__(self, laboratory, seconds, host="b"):
        self.lab, self.host, self.rows = laboratory, host, []
        self.until = time.monotonic() + seconds
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while time.monotonic() < self.until:
            self.look()
            time.sleep(0.05)

    def look(self):
        self.rows.append([int(x) for x in self.lab.tell(f"state {self.host} tun0").split()])

    def series(self):
        self.thread.join()
        return Series({"columns": self.COLUMNS, "rows": self.rows})


class Hawser:
    """A device in host b and an app in host a, connected."""

    def __init__(self, laboratory, broker, name="hawser", mode=""):
        self.lab, self.name = laboratory, name
        self.device, _ = self._start("device", "b", broker)
        self.app, _ = self._start("app", "a", broker)
        self._ask(self.app, "pair " + self.device.ask("invite"))
        self._ask(self.app, f"connect {self.id} {mode}")

    def _start(self, role, host, broker):
        home = self.lab.path(f"{self.name}-{role}")
        os.makedirs(home, exist_ok=True)
        with open(home + ".log", "ab") as log:
            program = self.lab.start(host, [self.lab.program("net-flow"), role, home, broker,
                                            "broker_name=laboratory", "stun=", "turn=", "lan=0"],
                                     log=log, ends_with_input=True)
        line = program.line()
        if line is None:
            with open(home + ".log") as log:
                raise servers.lab.LabError(f"{role} did not start: {log.read()[-1500:]}")
        if role == "device":
            self.id = line
        return program, line

    @staticmethod
    def _ask(program, line, seconds=30.0):
        answer = json.loads(program.ask(line, seconds) or '{"code": -1, "error": "ended"}')
        if answer["code"]:
            raise servers.lab.LabError(f"{line.split()[0]}: {answer['error']}")
        return answer

    def send(self, channel):
        self._ask(self.device, f"send {channel}")

    def video(self, kbits):
        self._ask(self.device, f"video {kbits}")

    def begin(self, seconds, count=0):
        """Starts to measure both ends, or, with a count, so many commands and the device's."""
        self.device.tell(f"measure {int(seconds * 1000)}")
        self.app.tell(f"command {count}" if count else f"measure {int(seconds * 1000)}")

    def end(self, seconds):
        """What the app found, and the device."""
        answers = [json.loads(program.line(seconds + 30) or '{"code": -1}')
                   for program in (self.app, self.device)]
        if any(answer["code"] for answer in answers):
            raise servers.lab.LabError(f"{self.name}: an end failed while it was measured")
        return answers

    def flow(self, seconds):
        received, sent = (Series(answer) for answer in self.end(seconds))
        if received.column("wrong")[-1] or not received.grown("bytes"):
            raise servers.lab.LabError(f"{self.name}: not what was sent")
        return Flow(self.name, received, sent)


class Live(Hawser):
    """Live pictures from the device to the app; lifetime_ms None: on a reliable channel. `first`:
    after so many frames comes the first key frame."""

    FRAMES_A_SECOND, KBITS, LINGER = 30, 2000, 1  # LINGER: seconds, for the last frames to come

    def __init__(self, laboratory, broker, name, lifetime_ms, first=0):
        super().__init__(laboratory, broker, name, "live")
        self.lifetime_ms, self.first = -1 if lifetime_ms is None else lifetime_ms, first

    def begin(self, seconds):
        count = int(seconds * self.FRAMES_A_SECOND)
        self.app.tell(f"frames {count} {int((seconds + self.LINGER) * 1000)}")
        self.device.tell(f"live {self.KBITS} {self.lifetime_ms} {count} {self.first}")

    def flow(self, seconds):
        received, sent = self.end(seconds + self.LINGER)
        if received["wrong"] or not any(received["took_us"]):
            raise servers.lab.LabError(f"{self.name}: not the frames that were sent")
        return Frames(self.name, [us / 1000 for us in received["took_us"]],
                      sent["refused"] + sent["given_up"])


class Frames:
    """What came of live pictures: of each how many milliseconds it took, 0: it did not come."""

    def __init__(self, name, took_ms, given_up):
        self.name, self.took_ms, self.given_up = name, took_ms, given_up
        self.came = sorted(ms for ms in took_ms if ms)

    def share_within(self, ms):
        return sum(took <= ms for took in self.came) / len(self.took_ms)

    def cut(self, share):
        """So many of those that came took no longer."""
        return self.came[min(int(share * len(self.came)), len(self.came) - 1)]

    def dots(self):
        """Seconds since the first, and milliseconds, of those that came."""
        seen = [(i / Live.FRAMES_A_SECOND, ms) for i, ms in enumerate(self.took_ms) if ms]
        return {"name": self.name, "s": [s for s, _ in seen], "ms": [ms for _, ms in seen]}


class Tcp:
    """One TCP flow from host b to host a."""

    def __init__(self, laboratory, control):
        self.lab, self.name, self.control = laboratory, f"TCP {control.upper()}", control

    def begin(self, seconds):
        span = str(int(seconds * 1000))
        command = [self.lab.program("net-plain")]
        self.receiver = self.lab.start("a", [*command, "tcp-receive", APP, str(PORT), span])
        if self.receiver.line() != "ready":
            raise servers.lab.LabError("net-plain did not start")
        self.sender = self.lab.start("b", [*command, "tcp-send", APP, str(PORT), span,
                                           self.control])

    def flow(self, seconds):
        received, sent = (json.loads(program.line(seconds + 30) or '{"code": -1}')
                          for program in (self.receiver, self.sender))
        if received["code"] or sent["code"]:
            raise servers.lab.LabError(f"{self.name}: an end failed")
        return Flow(self.name, Series(received), Series(sent))


class Flow:
    """What came of one flow: samples of the receiver and of the sender."""

    def __init__(self, name, received, sent):
        self.name, self.received, self.sent = name, received, sent

    def mbits(self, skip):
        return self.received.after(skip).mbits()

    def payload_share(self):
        """How much of a full packet is payload."""
        if "mss" in self.sent.columns:
            return self.sent.column("mss")[-1] / TCP_PACKET
        udp = self.sent.column("path_mtu")[-1]
        return (udp - DTLS - SCTP) / (udp + IP_UDP)

    def share(self, link_mbits, skip):
        """Of what the payload could be if the link were full of this flow's packets."""
        return self.mbits(skip) / (link_mbits * self.payload_share())


def interrupt(laboratory, seconds, begins, host="b"):
    """The narrow link carries nothing for so long, at each of these moments from now on."""
    begun = time.monotonic()
    for at in begins:
        for command, moment in (("cut", at), ("mend", at + seconds)):
            time.sleep(max(begun + moment - time.monotonic(), 0))
            laboratory.tell(f"{command} {host} tun0")


def run(laboratory, flows, seconds, meanwhile=None):
    """Runs them side by side: what came of each, and the link's samples. Meanwhile something may
    be done to the laboratory."""
    for flow in flows:
        flow.begin(seconds)
    watch = Watch(laboratory, seconds)
    if meanwhile:
        meanwhile()
    return [flow.flow(seconds) for flow in flows], watch.series()


def ping_ms(laboratory, count, size):
    """Round trips of UDP one after the other on the idle link."""
    command = [laboratory.program("net-plain")]
    echo = laboratory.start("b", [*command, "udp-echo", DEVICE, str(PORT)])
    if echo.line() != "ready":
        raise servers.lab.LabError("net-plain did not start")
    out = laboratory.run("a", [*command, "udp-ping", DEVICE, str(PORT), str(count), str(size)])
    echo.stop()
    return json.loads(out)["median_us"] / 1000


def stream(laboratory, kbits, size, seconds):
    """A stream of UDP at an even pace: what its receiver found, and how many were sent."""
    command, span = [laboratory.program("net-plain")], str(int(seconds * 1000))
    receiver = laboratory.start("a", [*command, "udp-receive", APP, str(PORT),
                                      str(int(seconds * 1000 + 500))])
    if receiver.line() != "ready":
        raise servers.lab.LabError("net-plain did not start")
    sent = json.loads(laboratory.start("b", [*command, "udp-send", APP, str(PORT), span,
                                             str(kbits), str(size)]).line(seconds + 10))
    found = json.loads(receiver.line(seconds + 10))
    return found, sent["sent"]
