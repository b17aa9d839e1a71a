"""The matrix as a table for a terminal, and as a picture."""

WHAT = ("first data in ms, at whichever end it arrives first (libnice's is of ICE alone, without "
        "DTLS and SCTP); d direct, r relayed, l on one LAN")
WIDTH, CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 15, 96, 52, 130, 96
COLOURS = {"direct": "#cfe9d4", "lan": "#bfe3ea", "relayed": "#f6e3b4", "failed": "#f3b6ae",
           "none": "#eeeeee"}
TERMINAL = {"direct": "32", "lan": "36", "relayed": "33", "failed": "31"}


def short(result):
    """"d118": the class's letter and the milliseconds to the first data; "none" where it failed."""
    if not result:
        return "-"
    if result.get("class") in (None, "failed"):
        return "FAIL"
    return f"{result['class'][0]}{result['first_data_ms']:.0f}"


def table(names, cells, has_colour):
    """Rows are the apps' ends, columns the devices'. Each cell is hawser|libnice."""
    by_place = {(cell["a"], cell["b"]): cell for cell in cells}
    lines = [f"{WHAT}; each cell hawser | libnice; ! see below",
             " " * WIDTH + "".join(f"{name[:12]:>13}" for name in names)]
    for a in names:
        line = f"{a:{WIDTH}}"
        for b in names:
            cell = by_place.get((a, b))
            text = f"{short(cell) if cell else ''}{'!' if cell and cell['problems'] else ''}"
            text += f"|{short(cell['libnice'])}" if cell else ""
            text = f"{text:>13}"
            if has_colour and cell:
                colour = "31" if cell["problems"] else TERMINAL.get(cell["class"], "0")
                text = f"\033[{colour}m{text}\033[0m"
            line += text
        lines.append(line)
    return "\n".join(lines)


def _text(x, y, text, size, anchor="middle", weight="normal", colour="#222"):
    return (f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{colour}">{text}</text>')


def _cell(x, y, cell):
    colour = COLOURS.get(cell["class"], COLOURS["failed"])
    edge = "#c0392b" if cell["problems"] else "#ffffff"
    nice = cell["libnice"]
    beside = f"libnice {short(nice)}" if nice else ""
    return [f'<rect x="{x + 1}" y="{y + 1}" width="{CELL_WIDTH - 2}" height="{CELL_HEIGHT - 2}" '
            f'rx="4" fill="{colour}" stroke="{edge}" stroke-width="2"/>',
            _text(x + CELL_WIDTH / 2, y + 25, short(cell), 18, weight="bold"),
            _text(x + CELL_WIDTH / 2, y + 42, beside, 11, colour="#666")]


def svg(names, cells, caption):
    width, height = LEFT + CELL_WIDTH * len(names) + 20, TOP + CELL_HEIGHT * len(names) + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             'font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             _text(LEFT, 30, "Time to the first data by kinds of network, ms", 20, "start", "bold"),
             _text(LEFT, 52, f"{WHAT}; rows are the app's network, columns the device's", 13,
                   "start", colour="#666")]
    for i, name in enumerate(names):
        parts.append(_text(LEFT + CELL_WIDTH * (i + 0.5), TOP - 10, name, 13, weight="bold"))
        parts.append(_text(LEFT - 10, TOP + CELL_HEIGHT * (i + 0.6), name, 13, "end", "bold"))
    for cell in cells:
        parts += _cell(LEFT + CELL_WIDTH * names.index(cell["b"]),
                       TOP + CELL_HEIGHT * names.index(cell["a"]), cell)
    parts.append(_text(LEFT, height - 20, caption, 13, "start", colour="#666"))
    return "\n".join(parts + ["</svg>"]) + "\n"
