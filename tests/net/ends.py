"""The two ends of a cell: hawser's, and libnice's for comparison. What they find are dictionaries:
code 0 and class, first_data_ms …, or code below 0 and error."""
import json
import os
import time

import servers

CLIMB_MS = 15000  # for a better path, where there is one
CONNECT_MS = 20000
START_US = 250000  # until libnice begins, so that both of it are there


class Hawser:
    """A device and an app in every host of their end, paired, each a process that stays."""

    def __init__(self, laboratory, broker, server=servers.MAIN):
        self.lab, self.broker = laboratory, broker
        self.options = ["broker_name=laboratory", *server.options,
                        f"turn_ca={laboratory.path('ca.pem')}"]
        self.devices, self.apps, self.paired = {}, {}, set()

    def _start(self, program, host):
        home = self.lab.path(f"{program}-{host}")
        os.makedirs(home, exist_ok=True)
        command = [self.lab.program(program), home, self.broker, *self.options]
        log = open(home + ".log", "ab")
        return self.lab.start(host, servers.with_hosts(self.lab, command), log=log, name=program,
                              ends_with_input=True)

    def device(self, host):
        """The device's process in this host, and its ID."""
        if host not in self.devices:
            process = self._start("net-device", host)
            self.devices[host] = process, self._expect(process, host, "net-device", "hw1")
        return self.devices[host]

    def app(self, host):
        if host not in self.apps:
            self.apps[host] = self._start("net-app", host)
            self._expect(self.apps[host], host, "net-app", "ready")
        return self.apps[host]

    def _expect(self, process, host, program, begin):
        line = process.line()
        if line is None or not line.startswith(begin):
            raise servers.lab.LabError(f"{program} in {host} did not start: {self.log(host)}")
        return line

    def log(self, host):
        """The end of what the programs of this host said."""
        text = ""
        for program in ("net-app", "net-device"):
            path = self.lab.path(f"{program}-{host}.log")
            if os.path.exists(path):
                with open(path) as f:
                    text += f.read()[-1500:]
        return text

    def pair(self, a, b):
        """Has the app in a know the device in b; returns both processes and the device's ID."""
        (device, device_id), app = self.device(b), self.app(a)
        if (a, b) not in self.paired:
            answer = json.loads(app.ask("pair " + device.ask("invite")) or "{}")
            if answer.get("code") != 0:
                raise servers.lab.LabError(f"{a} cannot pair with {b}: {answer}")
            self.paired.add((a, b))
        return app, device, device_id

    def connect(self, a, b, is_climbing):
        """One connect from a to b, and the end of it; is_climbing: a direct path is waited for."""
        app, _, device_id = self.pair(a, b)
        found = ask(app, f"connect {device_id} {CONNECT_MS}", CONNECT_MS / 1000 + 10)
        if found["code"]:
            return found
        found["first_class"] = found["class"]
        if is_climbing and found["class"] == "relayed":
            climbed = ask(app, f"climb {CLIMB_MS}", CLIMB_MS / 1000 + 10)
            found["class"], found["climb_ms"] = climbed["class"], climbed["after_ms"]
        ask(app, "disconnect")
        return found


def ask(process, line, seconds=30.0):
    answer = process.ask(line, seconds)
    return json.loads(answer) if answer else {"code": -1, "error": "the program ended"}


class Nice:
    """libnice 0.1.21: a process each, connected by pipes."""

    def __init__(self, laboratory):
        self.lab = laboratory
        self.env = dict(os.environ, TURN_USERNAME=servers.USERNAME, TURN_PASSWORD=servers.PASSWORD)

    def _servers(self, kind):
        """libnice cannot do TURN over TLS: where only 443 is open it may do without."""
        ip = f"[{kind.server}]" if ":" in kind.server else kind.server
        port = 443 if kind.name == "only443" else 3478
        return [f"{ip}:3478", f"udp:{ip}:3478", f"tcp:{ip}:{port}"]

    def connect(self, a, b, kind_a, kind_b):
        pipes = {name: os.pipe() for name in ("a_to_b", "b_to_a", "result_a", "result_b")}
        start = str(time.monotonic_ns() // 1000 + START_US)
        ends = ((a, "controlling", "b_to_a", "a_to_b", "result_a", kind_a),
                (b, "controlled", "a_to_b", "b_to_a", "result_b", kind_b))
        processes = [
            self.lab.start(host, [self.lab.program("net-nice"), start, str(pipes[result][1]), role,
                                  *self._servers(kind)],
                           stdin=pipes[read][0], stdout=pipes[write][1], env=self.env,
                           pass_fds=[pipes[result][1]])
            for host, role, read, write, result, kind in ends]
        for name, (read, write) in pipes.items():
            os.close(write)
            if not name.startswith("result"):
                os.close(read)
        answers = []
        for name in ("result_a", "result_b"):
            with os.fdopen(pipes[name][0]) as f:
                answers.append(f.read())
        for process in processes:
            process.process.wait()
            self.lab.programs.remove(process)
        found = [json.loads(answer or '{"code": -1, "error": "the program ended"}')
                 for answer in answers]
        if not any(end["code"] for end in found):  # both count from the same moment
            found[0]["first_data_ms"] = min(end["first_data_ms"] for end in found)
        return found[0]
