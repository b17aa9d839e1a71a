"""What `make bench` shows: every figure's name, unit, target and what it is compared with.

A target is a list of bounds (sign, factor, name of another figure of the same run or None, what is
added), so that it follows the machine it is measured on."""

LEAST, MOST = ">=", "<="


class Figure:
    def __init__(self, name, unit, note, beside=None, target=()):
        self.name, self.unit, self.note = name, unit, note
        self.beside = beside  # the baseline's name, or its value
        self.target = [(*bound, *[None, 0][len(bound) - 2:]) for bound in target]


SECTIONS = [
    ("Bulk: one channel, two processes, loopback with an MTU of 1500", "bulk", [
        Figure("bulk_gbps", "Gbit/s", "default settings", "usrsctp_gbps",
               [(LEAST, 0.4, "limit_gso_gcm_gbps"), (LEAST, 4, "usrsctp_gbps"), (LEAST, 4)]),
        Figure("bulk_cpu_s_per_gb", "s/GB", "CPU of both sides", "usrsctp_cpu_s_per_gb",
               [(MOST, 3.3)]),
        Figure("bulk_nogso_gbps", "Gbit/s", "GSO and GRO switched off", "limit_mmsg_gcm_gbps",
               [(LEAST, 0.6, "limit_mmsg_gcm_gbps")]),
        Figure("bulk_8ch_gbps", "Gbit/s", "all eight channels at once", "bulk_gbps",
               [(LEAST, 0.9, "bulk_gbps")]),
        Figure("bulk_stalled_gbps", "Gbit/s", "beside a channel that nobody reads", "bulk_gbps",
               [(LEAST, 0.9, "bulk_gbps")]),
        Figure("limit_gso_gcm_gbps", "Gbit/s", "bare UDP: GSO, GRO, AES-GCM a datagram"),
        Figure("limit_gso_gcm_cpu_s_per_gb", "s/GB", "its CPU"),
        Figure("limit_mmsg_gcm_gbps", "Gbit/s", "bare UDP: sendmmsg, recvmmsg, AES-GCM a datagram"),
        Figure("tcp_gbps", "Gbit/s", "the kernel's TCP, not encrypted"),
        Figure("tcp_cpu_s_per_gb", "s/GB", "its CPU"),
        Figure("tls_gbps", "Gbit/s", "OpenSSL's TLS 1.3 over it, AES-GCM"),
        Figure("usrsctp_gbps", "Gbit/s", "usrsctp over UDP, not encrypted"),
        Figure("usrsctp_cpu_s_per_gb", "s/GB", "its CPU"),
    ]),
    ("Bulk, sustained", "sustained", [
        Figure("bulk_sustained_gbps", "Gbit/s", "30 s without a break", "bulk_gbps"),
        Figure("bulk_retransmitted_ppm", "ppm", "of its chunks were sent again", None,
               [(MOST, 1000)]),
    ]),
    ("Ping-pong: 64 bytes there and back", "pingpong", [
        Figure("pingpong_p50_us", "us", "median", "udp_pingpong_p50_us",
               [(MOST, 1.7, "udp_pingpong_p50_us")]),
        Figure("pingpong_p99_us", "us", "one in a hundred takes longer", "udp_pingpong_p99_us",
               [(MOST, 3, "udp_pingpong_p99_us")]),
        Figure("udp_pingpong_p50_us", "us", "bare blocking UDP"),
        Figure("udp_pingpong_p99_us", "us", "likewise"),
    ]),
    ("Chromium: one channel to a page and from it", "browser", [
        Figure("chromium_download_mbit_s", "Mbit/s", "what a page takes from hawser",
               "chromium_alone_mbit_s", [(LEAST, 0.9, "chromium_alone_mbit_s")]),
        Figure("chromium_upload_mbit_s", "Mbit/s", "what hawser takes from a page",
               "chromium_alone_mbit_s", [(LEAST, 0.9, "chromium_alone_mbit_s")]),
        Figure("chromium_alone_mbit_s", "Mbit/s",
               "what one page takes from another in the best run"),
    ]),
    ("Networks: real sockets through links of the laboratory (tests/net/flow)", "net", []),
    ("Simulator", "sim", [
        Figure("sim_1gbps_share", "", "of what the payload could be: 1 Gbit/s, 20 ms", None,
               [(LEAST, 0.9)]),
    ]),
    ("Size: sessions that do nothing, and the library", "idle", [
        Figure("idle_session_kib", "KiB", "heap of one side; usrsctp's: SCTP alone",
               "usrsctp_idle_kib", [(MOST, 32)]),
        Figure("idle_session_rss_kib", "KiB", "resident memory, likewise",
               "usrsctp_idle_rss_kib", [(MOST, 48)]),
        Figure("idle_1000_cpu_pct", "%", "of a core, 1,000 sessions in one process", None,
               [(MOST, 2)]),
        Figure("library_kib", "KiB", "libhawser.so, stripped", None, [(MOST, 450)]),
    ]),
    ("Connecting", "connect", [
        Figure("connect_after_signaling_ms", "ms", "ICE, DTLS, SCTP; usrsctp's: SCTP alone",
               "usrsctp_connect_ms"),
        Figure("connect_after_signaling_p95_ms", "ms", "one in twenty takes longer"),
        Figure("connect_whole_ms", "ms", "call to callback, broker included"),
        Figure("connect_cpu_ms", "ms", "CPU of both ends: signaling, connect and close"),
    ]),
]

PARTS = [part for _, part, _ in SECTIONS]


def part_of(name):
    """The part that measures this figure, or the part itself; None: there is none such."""
    for _, part, figures in SECTIONS:
        if name == part or any(figure.name == name for figure in figures):
            return part
    return None


def bound_text(bound):
    sign, factor, other, more = bound
    if not other:
        return f"{sign} {factor:.3g}"
    text = f"{sign} {other}" if factor == 1 else f"{sign} {factor:g} x {other}"
    return text + (f" + {more:g}" if more else "")


def limits(figure, values):
    """(sign, number) of every bound; None where what it refers to was not measured."""
    found = []
    for sign, factor, other, more in figure.target:
        if other and other not in values:
            return None
        found.append((sign, factor * (values[other] if other else 1) + more))
    return found


def is_met(figure, values):
    """None where there is no target, or no way to tell."""
    bounds = limits(figure, values)
    if not bounds:
        return None
    value = values[figure.name]
    return all(value >= limit if sign == LEAST else value <= limit for sign, limit in bounds)


def add_measured(found):
    """Figures that another program has measured, targets and all: they join their section."""
    for section in SECTIONS:
        if section[1] == "net":
            section[2][:] = [
                Figure(f["name"], f["unit"], f["note"], f["baseline"],
                       [(sign, f[key]) for sign, key in ((LEAST, "least"), (MOST, "most"))
                        if f[key] is not None]) for f in found]


def baseline(figure, values):
    return values.get(figure.beside) if isinstance(figure.beside, str) else figure.beside


def rows(values):
    """What was measured, as bench.json has it."""
    return [{"name": figure.name, "value": values[figure.name], "unit": figure.unit,
             "baseline": baseline(figure, values),
             "target": ", ".join(map(bound_text, figure.target)) or None,
             "met": is_met(figure, values), "note": figure.note}
            for _, _, figures in SECTIONS for figure in figures if figure.name in values]
