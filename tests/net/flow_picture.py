"""Rates and queues over time as a picture: a row of panels for each scene."""
import math

WIDTH, LEFT, TOP, GAP = 430, 70, 100, 66
RATE_HEIGHT, QUEUE_HEIGHT, SCENE_GAP = 150, 60, 92
COLOURS = {"hawser": "#1b7f4b", "hawser 1": "#1b7f4b", "hawser 2": "#7cc49a",
           "TCP CUBIC": "#c0392b", "TCP BBR": "#d68910", "command": "#1b7f4b",
           "lossy": "#1b7f4b", "reliable": "#c0392b"}
QUEUE, GRID, OUTAGE = "#5b7c99", "#dddddd", "#ececec"


def _text(x, y, text, size, anchor="start", weight="normal", colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{colour}">{text}</text>')


class Panel:
    """One pair of axes: x from 0 to x_most, y from 0 to y_most."""

    def __init__(self, x, y, height, x_most, y_most):
        self.x, self.y, self.height = x, y, height
        self.x_most, self.y_most = max(x_most, 1e-6), max(y_most, 1e-6)

    def place(self, x, y):
        return (self.x + WIDTH * min(x / self.x_most, 1),
                self.y + self.height * (1 - min(max(y, 0) / self.y_most, 1)))

    def within(self, xs, ys):
        """The points up to the end of the axis: what is measured may last a little longer."""
        return [(x, y) for x, y in zip(xs, ys) if x <= self.x_most]

    def frame(self, steps, unit):
        for i in range(steps + 1):
            value = self.y_most * i / steps
            _, y = self.place(0, value)
            yield (f'<line x1="{self.x}" y1="{y:.1f}" x2="{self.x + WIDTH}" y2="{y:.1f}" '
                   f'stroke="{GRID}"/>')
            yield _text(self.x - 6, y + 4, f"{value:g}", 11, "end", colour="#666")
        yield _text(self.x - 44, self.y - 8, unit, 11, colour="#666")

    def seconds(self):
        for i in range(6):
            value = self.x_most * i / 5
            x, _ = self.place(value, 0)
            yield _text(x, self.y + self.height + 16, f"{value:g} s", 11, "middle", colour="#666")

    def line(self, xs, ys, colour, width=1.6):
        points = " ".join("{:.1f},{:.1f}".format(*self.place(x, y)) for x, y in self.within(xs, ys))
        yield (f'<polyline points="{points}" fill="none" stroke="{colour}" '
               f'stroke-width="{width}" stroke-linejoin="round"/>')

    def area(self, xs, ys, colour):
        inside = self.within(xs, ys)
        points = [self.place(x, y) for x, y in [(inside[0][0], 0), *inside, (inside[-1][0], 0)]]
        yield (f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" '
               f'fill="{colour}" fill-opacity="0.55"/>')

    def dots(self, xs, ys, colour):
        for x, y in (self.place(*point) for point in self.within(xs, ys)):
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="{colour}"/>'

    def band(self, begin, end, colour):
        (left, top), (right, bottom) = self.place(begin, self.y_most), self.place(end, 0)
        yield (f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
               f'height="{bottom - top:.1f}" fill="{colour}"/>')

    def limit(self, value, text):
        _, y = self.place(0, value)
        yield (f'<line x1="{self.x}" y1="{y:.1f}" x2="{self.x + WIDTH}" y2="{y:.1f}" '
               'stroke="#222" stroke-dasharray="5 4"/>')
        yield _text(self.x + WIDTH, y - 5, text, 11, "end")


def _legend(x, y, names):
    for name in names:
        colour = COLOURS.get(name, "#222")
        yield f'<rect x="{x}" y="{y - 9}" width="14" height="10" fill="{colour}"/>'
        yield _text(x + 19, y, name, 12)
        x += 40 + 7.2 * len(name)


def _rates(scene, x, y):
    panel = Panel(x, y, RATE_HEIGHT, scene["seconds"], scene["mbits"])
    yield from panel.frame(4, "Mbit/s")
    for line in scene["rates"]:
        yield from panel.line(line["s"], line["mbits"], COLOURS.get(line["name"], "#222"))


def _delays(scene, x, y):
    """Of single messages: a dot each."""
    value, text = scene["limit"]
    most = max(value, *(ms for line in scene["delays"] for ms in line["ms"])) * 1.1
    panel = Panel(x, y, RATE_HEIGHT, scene["seconds"], 20 * math.ceil(most / 20))
    for begin, end in scene.get("outages", []):
        yield from panel.band(begin, end, OUTAGE)
    yield from panel.frame(4, "ms")
    for line in scene["delays"]:
        yield from panel.dots(line["s"], line["ms"], COLOURS[line["name"]])
    yield from panel.limit(value, text)


def _scene(scene, x, y):
    """What it is, the rates (or the delays of messages), and below them the queue."""
    yield _text(x, y - 32, scene["title"], 14, weight="bold")
    yield from _legend(x, y - 12, [line["name"] for line in scene.get("delays", scene["rates"])])
    yield from (_delays if "delays" in scene else _rates)(scene, x, y)
    below = y + RATE_HEIGHT + 26
    panel = Panel(x, below, QUEUE_HEIGHT, scene["seconds"], scene["queue_most_ms"])
    yield from panel.frame(2, "queue, ms")
    yield from panel.area(scene["queue"]["s"], scene["queue"]["ms"], QUEUE)
    yield from panel.seconds()


def svg(scenes):
    rows = (len(scenes) + 1) // 2
    step = RATE_HEIGHT + QUEUE_HEIGHT + SCENE_GAP + 40
    width, height = LEFT + 2 * WIDTH + GAP + 90, TOP + rows * step - 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             _text(LEFT, 32, "Flows through one link: payload rates, and the queue before it", 20,
                   weight="bold")]
    for i, scene in enumerate(scenes):
        parts += _scene(scene, LEFT + i % 2 * (WIDTH + GAP), TOP + i // 2 * step)
    return "\n".join(parts + ["</svg>"]) + "\n"
