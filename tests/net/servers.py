"""What the matrix meets besides the ends: coturn in the laboratory, and outside it mosquitto."""
import os
import shutil
import socket
import subprocess
import time

import kinds
import lab

USERNAME, PASSWORD = "tester", "not-a-secret"


class Server:
    """coturn in a host of its own, as STUN and TURN server."""

    def __init__(self, host, name, *addresses):
        self.host, self.name, self.addresses = host, name, addresses

    @property
    def options(self):
        """What the library is told of it."""
        return [f"stun={self.name}:3478", f"turn=turn:{self.name}:3478,turns:{self.name}:443",
                f"turn_username={USERNAME}", f"turn_password={PASSWORD}"]


MAIN = Server("server", kinds.SERVER_NAME, kinds.SERVER4, kinds.SERVER6)


def need(command):
    path = shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return path or lab.skip(f"there is no {command}")


def make_certificates(folder, names):
    """ca.pem, server.pem and server.key: a certificate for the servers, from a CA of our own."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    with open(os.path.join(folder, "names"), "w") as f:
        f.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=laboratory", "-keyout", "ca.key",
            "-out", "ca.pem")
    openssl("req", *key, "-subj", f"/CN={names[0]}", "-keyout", "server.key", "-out",
            "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")


def prepare(laboratory, servers):
    """Certificates, and the file that stands for the name servers."""
    make_certificates(laboratory.path(), [server.name for server in servers])
    with open(laboratory.path("hosts"), "w") as f:
        f.write("127.0.0.1 localhost\n")
        for server in servers:
            f.writelines(f"{ip} {server.name}\n" for ip in server.addresses)


def with_hosts(laboratory, command):
    """The same command where the server's name is known."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount --bind "$0" /etc/hosts && exec "$@"', laboratory.path("hosts"), *command]


def start_coturn(laboratory, server=MAIN):
    """Returns when it listens: on 3478 to UDP and TCP, on 443 to TLS."""
    folder, log_path = laboratory.path(), laboratory.path(f"coturn-{server.host}.log")
    command = [need("turnserver"), "-n", "--listening-port=3478", "--tls-listening-port=443",
               f"--user={USERNAME}:{PASSWORD}", "--lt-cred-mech", "--realm=laboratory",
               f"--cert={folder}/server.pem", f"--pkey={folder}/server.key", "--no-cli",
               f"--userdb={folder}/turndb-{server.host}", "--no-rfc5780", "--simple-log",
               f"--pidfile={folder}/turn-{server.host}.pid", "--log-file=stdout",
               "--relay-threads=1"]
    for ip in server.addresses:
        command += [f"--listening-ip={ip}", f"--relay-ip={ip}"]
    with open(log_path, "ab") as log:
        program = laboratory.start(server.host, command, stdout=log, log=log)
    wait_until_listening(laboratory, server, program, log_path)
    return program


def wait_until_listening(laboratory, server, program, log_path):
    ends = [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            for ip in server.addresses for port in (3478, 443)]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and program.process.poll() is None:
        sockets = laboratory.run(server.host, ["ss", "-Hlntu"])
        if all(end in sockets for end in ends):
            return
        time.sleep(0.02)
    with open(log_path) as log:
        raise lab.LabError("coturn did not start:\n" + log.read()[-2000:])


def start_broker(laboratory):
    """mosquitto with the plugin on a socket that all namespaces can reach: its URL."""
    path, config = laboratory.path("broker"), laboratory.path("broker.conf")
    with open(config, "w") as f:
        f.write(f"listener 0 {path}\nallow_anonymous false\nlog_type error\npersistence false\n"
                f"plugin {laboratory.program('mosquitto-hawser.so')}\nuser root\n"
                "plugin_opt_audience laboratory\nplugin_opt_publish_rate 0\n")
    with open(laboratory.path("broker.log"), "ab") as log:
        program = laboratory.start(None, [need("mosquitto"), "-c", config], stdout=log, log=log)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and program.process.poll() is None:
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(path) == 0:
                return f"mqtt+unix://{path}"
        time.sleep(0.02)
    with open(laboratory.path("broker.log")) as log:
        raise lab.LabError("mosquitto did not start:\n" + log.read()[-2000:])
