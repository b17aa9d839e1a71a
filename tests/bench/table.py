"""The figures as a table for a terminal, and as a picture."""
import figures as known

GREEN, RED, DIM, BOLD, END = "\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"
LINE, LEFT, BAR, RIGHT, TOP = 22, 240, 300, 520, 84
COLOURS = {True: "#2e7d32", False: "#c0392b", None: "#8a8a8a"}


def number(value):
    """Four digits, without an exponent."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:.{digits}f}"


def wanted(figure, values):
    """The target in numbers of this run."""
    bounds = known.limits(figure, values)
    if bounds is None:
        return known.bound_text(figure.target[0])
    tightest = {known.LEAST: max, known.MOST: min}
    return " ".join(f"{sign} {number(tightest[sign](limits))}" for sign in tightest
                    if (limits := [limit for s, limit in bounds if s == sign]))


def _line(figure, values, paint):
    met = known.is_met(figure, values)
    mark = {True: paint(GREEN, "met"), False: paint(RED, "not"), None: "   "}[met]
    value = f"{number(values[figure.name]):>9} {figure.unit:7}"
    beside = known.baseline(figure, values)
    note = figure.note
    if isinstance(figure.beside, str) and beside is not None:
        note += f"; beside: {figure.beside}"
    return (f"  {figure.name:32}{value if met is None else paint(BOLD, value)}"
            f"{number(beside):>9}  {wanted(figure, values):16} {mark}  {paint(DIM, note)}")


def text(values, has_colour):
    def paint(colour, words):
        return f"{colour}{words}{END}" if has_colour else words

    lines = []
    for title, _, figures in known.SECTIONS:
        measured = [figure for figure in figures if figure.name in values]
        if measured:
            lines += ["", paint(BOLD, title),
                      paint(DIM, f"  {'':32}{'measured':>9} {'':7}{'beside':>9}  target")]
            lines += [_line(figure, values, paint) for figure in measured]
    marks = [known.is_met(f, values) for _, _, figures in known.SECTIONS for f in figures
             if f.name in values]
    lines += ["", f"{marks.count(True)} of {marks.count(True) + marks.count(False)} targets met"]
    return "\n".join(lines[1:])


# ---- The picture ---------------------------------------------------------------------------------

def _text(x, y, words, anchor="start", size=12, weight="normal", colour="#222"):
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{colour}">{words}</text>')


def _bar(y, value, most, colour, height):
    width = max(BAR * value / most, 1) if most > 0 else 1
    return (f'<rect x="{LEFT}" y="{y:.0f}" width="{width:.0f}" height="{height}" rx="2" '
            f'fill="{colour}"/>')


def _limits(figure, values):
    return [limit for _, limit in known.limits(figure, values) or []]


def _scales(figures, values):
    """What a whole bar is, by unit: bars of one unit in one section can be compared."""
    scales = {}
    for figure in figures:
        scales[figure.unit] = max(scales.get(figure.unit, 0), values[figure.name],
                                  known.baseline(figure, values) or 0, *_limits(figure, values))
    return scales


def _row(y, figure, values, most):
    """The value as a bar, what is beside it as a thin one below, the limits as strokes."""
    value, beside = values[figure.name], known.baseline(figure, values)
    parts = [_text(LEFT - 10, y + 12, figure.name, "end"),
             _bar(y + 2, value, most, COLOURS[known.is_met(figure, values)], 10)]
    if beside is not None:
        parts.append(_bar(y + 14, beside, most, "#c9c9c9", 3))
    for limit in _limits(figure, values):
        x = LEFT + BAR * limit / most if most > 0 else LEFT
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y}" y2="{y + 18}" stroke="#222" '
                     'stroke-width="1.5" stroke-dasharray="3 2"/>')
    parts.append(_text(LEFT + BAR + 12, y + 12,
                       f"{number(value)} {figure.unit}".strip(), weight="bold"))
    told = [f"wanted {wanted(figure, values)}"] if figure.target else []
    if beside is not None:
        told.append(f"beside {number(beside)}")
    parts.append(_text(LEFT + BAR + 120, y + 12, ", ".join(told), colour="#666"))
    return parts


def svg(values, caption):
    sections = [(title, [f for f in figures if f.name in values])
                for title, _, figures in known.SECTIONS]
    parts, y = [], TOP
    for title, figures in sections:
        if not figures:
            continue
        parts.append(_text(20, y + 16, title, size=14, weight="bold"))
        y += 28
        scales = _scales(figures, values)
        for figure in figures:
            parts += _row(y, figure, values, scales[figure.unit])
            y += LINE
        y += 12
    width, height = LEFT + BAR + RIGHT - 180, y + 30
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            'font-family="sans-serif">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            _text(20, 34, "What hawser does, beside what it is compared with", size=20,
                  weight="bold"),
            _text(20, 58, "green: the target is met; red: it is not; dashed: the target; thin and "
                  "grey: the baseline of the same run", colour="#666", size=13)]
    foot = [_text(20, height - 14, caption, colour="#666"), "</svg>\n"]
    return "\n".join(head + parts + foot)
