"""What the matrix meets besides the ends: coturn in the laboratory, and outside it mosquitto."""
import os
import shutil
import socket
import subprocess
import time

import kinds
import lab

USERNAME, PASSWORD = "tester", "not-a-secret"
STUN = f"{kinds.SERVER_NAME}:3478"
TURN = f"turn:{kinds.SERVER_NAME}:3478,turns:{kinds.SERVER_NAME}:443"


def need(command):
    path = shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return path or lab.skip(f"there is no {command}")


def make_certificates(folder):
    """ca.pem, server.pem and server.key: a certificate for the server's name, from a CA of ours."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    with open(os.path.join(folder, "names"), "w") as f:
        f.write(f"subjectAltName=DNS:{kinds.SERVER_NAME}\n")
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=laboratory", "-keyout", "ca.key",
            "-out", "ca.pem")
    openssl("req", *key, "-subj", f"/CN={kinds.SERVER_NAME}", "-keyout", "server.key", "-out",
            "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")


def write_hosts(laboratory):
    """The file that stands for the name servers."""
    path = laboratory.path("hosts")
    with open(path, "w") as f:
        f.write("127.0.0.1 localhost\n")
        for ip in (kinds.SERVER4, kinds.SERVER6):
            f.write(f"{ip} {kinds.SERVER_NAME}\n")
    return path


def with_hosts(laboratory, command):
    """The same command where the server's name is known."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount --bind "$0" /etc/hosts && exec "$@"', laboratory.path("hosts"), *command]


def start_coturn(laboratory):
    """Returns when it answers on UDP 3478, and serves TCP there and TLS on 443."""
    folder = laboratory.path()
    if not os.path.exists(laboratory.path("server.pem")):
        make_certificates(folder)
    command = [need("turnserver"), "-n", "--listening-port=3478", "--tls-listening-port=443",
               f"--user={USERNAME}:{PASSWORD}", "--lt-cred-mech", "--realm=laboratory",
               f"--cert={folder}/server.pem", f"--pkey={folder}/server.key", "--no-cli",
               f"--userdb={folder}/turndb", f"--pidfile={folder}/turn.pid", "--no-rfc5780",
               "--log-file=stdout", "--simple-log", "--relay-threads=1"]
    for ip in (kinds.SERVER4, kinds.SERVER6):
        command += [f"--listening-ip={ip}", f"--relay-ip={ip}"]
    with open(laboratory.path("coturn.log"), "ab") as log:
        program = laboratory.start("server", command, stdout=log, log=log)
    wait_until_listening(laboratory, program)
    return program


def wait_until_listening(laboratory, program):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and program.process.poll() is None:
        sockets = laboratory.run("server", ["ss", "-Hlntu"])
        if all(f"{ip}:{port}" in sockets for ip in (kinds.SERVER4, f"[{kinds.SERVER6}]")
               for port in (3478, 443)):
            return
        time.sleep(0.05)
    with open(laboratory.path("coturn.log")) as log:
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
