"""The kinds of networks of the matrix, as plans of the laboratory, and what is possible between."""

DELAY = 10  # ms on each link, up and down: 20 one way between any two hosts
RTT = 4 * DELAY
SERVER4, SERVER6, SERVER_NAME = "198.51.100.1", "2001:db8:1::1", "turn.test"

CONE = "mapping=endpoint-independent ports=preserved timeout=30000"
APD = "filtering=address-and-port-dependent"


class Kind:
    """outer: the NAT that has a public address; inner: one behind it. is_shared: both ends' homes
    are behind the same outer one."""

    def __init__(self, name, title, outer=None, inner=None, is_shared=False, families=(4,),
                 has_udp=True, has_linux=False, is_open=False):
        self.name, self.title = name, title
        self.outer, self.inner, self.is_shared = outer, inner, is_shared
        self.families, self.has_udp, self.has_linux = families, has_udp, has_linux
        self.is_symmetric = "mapping=address-and-port" in (outer or "")
        self.is_strict = (APD in (outer or "") + (inner or "") or has_linux) and not is_open

    def plan(self, end, number):
        """The lines of this kind for one end: 0 or 1."""
        host, public = f"{self.name}-{'ab'[end]}", f"203.0.113.{10 + 2 * number + end}"
        private = f"192.168.1.{2 + end}"
        lines, behind = [], ""
        if self.outer:
            name = self.name if self.is_shared else f"{host}-nat"
            if end == 0 or not self.is_shared:
                lines.append(f"nat {name} outside={public} {self.outer}")
            behind = f"behind={name}"
        if self.inner:
            lines.append(f"nat {host}-home outside=100.64.{number}.{2 + end} {self.inner} {behind}")
            behind = f"behind={host}-home"
        addresses = [private if self.outer else public] if 4 in self.families else []
        if 6 in self.families:
            addresses.append(f"2001:db8:2:{number:x}::{2 + end}")
        address = "addr=" + ",".join(addresses)
        if len(addresses) == 2:
            address += " firewall=address-and-port-dependent"
        if self.has_linux:
            address += f" masquerade={private}"
        return lines + [f"host {host} {address} delay={DELAY} {behind}"]

    @property
    def server(self):
        """Where it reaches STUN and TURN, by number."""
        return SERVER4 if 4 in self.families else SERVER6


KINDS = [
    Kind("open", "open"),
    Kind("full", "full cone", f"{CONE} filtering=endpoint-independent"),
    Kind("restricted", "restricted", f"{CONE} filtering=address-dependent"),
    Kind("port", "port-restricted", f"{CONE} {APD}"),
    Kind("symmetric", "symmetric",
         f"mapping=address-and-port-dependent {APD} ports=random timeout=30000"),
    Kind("double", "double NAT", f"{CONE} {APD}", f"{CONE} {APD}"),
    Kind("cgnat", "same CGNAT", f"{CONE} filtering=endpoint-independent hairpinning",
         f"{CONE} {APD}", is_shared=True),
    Kind("noudp", "UDP blocked", f"{CONE} {APD} block=udp", has_udp=False),
    Kind("only443", "443 only", f"{CONE} {APD} block=all-but-443", has_udp=False),
    Kind("six", "IPv6 only", families=(6,)),
    Kind("linux", "Linux", has_linux=True),
]
# Beside the matrix: two hosts in one home, whose NAT does not hairpin; homes with IPv6 too, whose
# routers let in over it only whom their hosts have sent to.
BESIDE = [Kind("home", "same home", f"{CONE} {APD}", is_shared=True),
          Kind("dual", "dual stack", f"mapping=address-and-port-dependent {APD} ports=random",
               families=(4, 6))]
CELLS_BESIDE = [("home", "home"), ("dual", "dual"), ("dual", "six"), ("open", "dual")]
BY_NAME = {kind.name: kind for kind in KINDS + BESIDE}


def server_host():
    return f"host server addr={SERVER4},{SERVER6} delay={DELAY}"


def plan(kinds):
    lines = [server_host()]
    for number, kind in enumerate(kinds):
        for end in (0, 1):
            lines += kind.plan(end, number)
    return "\n".join(lines) + "\n"


def can_be_direct(a, b):
    """Whether ICE can find a direct path: both have UDP of one family, and over IPv4 it is not so
    that one makes a mapping for each remote and the other lets in only whom it has sent to, port
    and all."""
    common = set(a.families) & set(b.families) if a.has_udp and b.has_udp else set()
    return 6 in common or (4 in common and not (a.is_symmetric and b.is_strict) and
                           not (b.is_symmetric and a.is_strict))


def most_ms(a, b, answer_ms):
    """The target for the first data, and its name."""
    if can_be_direct(a, b):
        return answer_ms + 2.5 * RTT + 30, "answer + 2.5 round trips + 30"
    if a.has_udp and b.has_udp:
        return 330, "330 relayed"
    return 600, "600 without UDP"
