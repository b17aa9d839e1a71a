"""A laboratory and the programs in it, for the scripts beside this file."""
import functools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading

SKIP = 77


class LabError(Exception):
    pass


def skip(reason):
    """Ends a test that cannot be run here, loudly."""
    print(f"SKIP: {reason}")
    sys.exit(SKIP)


@functools.cache
def promptly():
    """What to put before a command so that it need not wait for what else the machine does."""
    prefix = ["chrt", "--rr", "1"]
    done = subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL)
    return prefix if done.returncode == 0 else []


class Program:
    """A process in a host of the laboratory, led by lines. It goes before what else the machine
    does: times are to be those of the network. It ends with this script, or rather with the thread
    that made it: what is to stay is started in the first."""

    def __init__(self, name, namespace, command, **popen):
        self.name = name
        inside = [] if namespace is None else ["nsenter", f"--net={namespace}", "--"]
        self.log = popen.pop("log", None)
        self.ends_with_input = popen.pop("ends_with_input", False)
        self.process = subprocess.Popen(
            [*promptly(), *inside, "setpriv", "--pdeathsig", "KILL", *command],
            stdin=popen.pop("stdin", subprocess.PIPE),
            stdout=popen.pop("stdout", subprocess.PIPE), stderr=self.log, **popen)
        self.buffer = b""

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, seconds=30.0):
        """The next line it prints; None at its end or when the time is up."""
        out = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            if not select.select([out], [], [], seconds)[0]:
                return None
            piece = os.read(out, 65536)
            if not piece:
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def ask(self, line, seconds=30.0):
        self.tell(line)
        return self.line(seconds)

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns its exit code, below 0 a signal's number."""
        if self.process.poll() is None:
            if self.process.stdin:
                self.process.stdin.close()
            if not self.ends_with_input:
                self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Lab:
    """Started from the text of a plan (topology.h)."""

    def __init__(self, build, plan, packet_log=None):
        self.build = build
        self.programs = []
        self.namespaces = {}
        self.telling = threading.Lock()
        self.folder = tempfile.TemporaryDirectory(prefix="hawser-net-")
        path = os.path.join(self.folder.name, "plan")
        with open(path, "w") as f:
            f.write(plan)
        self.daemon = Program("lab", None, [self.program("net-lab"), path,
                                            *([packet_log] if packet_log else [])])
        self._wait_until_ready()

    def _wait_until_ready(self):
        while (line := self.daemon.line()) != "ready":
            if line is None:
                raise LabError("the laboratory could not be made; see above")
            if line.startswith("SKIP: "):
                skip(line[6:])
            _, host, namespace = line.split()
            self.namespaces[host] = namespace

    def program(self, name):
        return os.path.join(self.build, name)

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def start(self, host, command, **popen):
        """Starts a program in a host; None for the host: outside the laboratory. Its name may be
        given too, where the command is that of a wrapper."""
        namespace = self.namespaces[host] if host else None
        name = popen.pop("name", None) or os.path.basename(command[0])
        program = Program(f"{name} in {host}", namespace, command, **popen)
        self.programs.append(program)
        return program

    def run(self, host, command, seconds=60.0):
        """Runs it to its end: its output."""
        inside = ["nsenter", f"--net={self.namespaces[host]}", "--"]
        done = subprocess.run([*inside, *command], stdout=subprocess.PIPE, text=True,
                              timeout=seconds)
        if done.returncode:
            raise LabError(f"{' '.join(command)} in {host} failed")
        return done.stdout

    def tell(self, command):
        """A command of control.h: what it answers behind `ok`. Any thread may ask."""
        with self.telling:
            answer = self.daemon.ask(command)
        if answer is None or not answer.startswith("ok"):
            raise LabError(f"{command}: {answer}")
        return answer[3:]

    def stop(self):
        """Ends all of it. What fails at its end, as a sanitizer makes it do, is an error."""
        polite = [program for program in self.programs if program.ends_with_input]
        for program in polite:
            program.process.stdin.close()
        codes = {program.name: program.stop() for program in polite}
        for program in reversed(self.programs):
            program.stop()
        self.daemon.stop()
        self.folder.cleanup()
        failed = [f"{name}: {code}" for name, code in codes.items() if code]
        if failed:
            raise LabError("exit codes: " + ", ".join(failed))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def be_stoppable():
    """Makes a request to end run the clean-up, as ^C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
