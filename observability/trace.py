"""Draws a trace as an SVG, as Jaeger shows it, from the JSON of Jaeger's API.

    python3 observability/trace.py TRACE.json TITLE > observability/trace.svg

TRACE.json is what `/api/traces/ID` answers, or what `tests/jaeger/run --save DIR` writes.
"""

from __future__ import annotations

import json
import sys
from html import escape

ROW, LEFT, MIDDLE, RIGHT = 26, 20, 560, 1180
"""The height of a row, where names begin, where times begin and end."""

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .dim { fill: #6e7781 }
  .error { fill: #cf222e }
  .grid { stroke: #d8dee4 }
  .bar { fill: #17b8be } .bar.error { fill: #cf222e } .bar.other { fill: #8250df }
"""


def span_of(span: dict, processes: dict) -> dict:
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    process = {tag["key"]: tag["value"] for tag in processes[span["processID"]]["tags"]}
    return {
        "name": span["operationName"],
        "start": span["startTime"],
        "took": span["duration"],
        "phase": tags.get("flyte.phase", ""),
        "cause": tags.get("otel.status_description", ""),
        "error": bool(tags.get("error")),
        "execution": tags.get("flyte.execution", ""),
        "type": tags.get("flyte.task_type", ""),
        "instance": process.get("service.instance.id", ""),
    }


def lasted(micros: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if micros >= size:
            return f"{micros / size:.3g} {unit}"
    return f"{micros:.0f} µs"


def draw(trace: dict, title: str) -> str:
    spans = [span_of(span, trace["processes"]) for span in trace["spans"]]
    begin = min(span["start"] for span in spans)
    whole = max(span["start"] + span["took"] for span in spans) - begin
    # As they happened; the end is last, although it begins with the task.
    spans.sort(key=lambda span: (span["start"] + span["took"], span["name"] == "end"))
    first = spans[0]["instance"]
    height = 84 + ROW * len(spans) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 {height}" width="1280" height="{height}">',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="30">{escape(title)}</text>',
        f'<text class="dim" x="{LEFT}" y="52">trace {trace["traceID"]}, flyte.execution = {escape(spans[0]["execution"])}, '
        f"flyte.task_type = {escape(spans[0]['type'])}, {len(spans)} spans, {lasted(whole)}</text>",
    ]
    for n in range(5):
        x = MIDDLE + (RIGHT - MIDDLE) * n / 4
        out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="66" y2="{height - 30}"/>')
        out.append(f'<text class="dim" x="{x + 4}" y="76">{lasted(whole * n / 4) if n else "0"}</text>')
    for n, span in enumerate(spans):
        y = 84 + ROW * n
        kind = " error" if span["error"] else " other" if span["instance"] != first else ""
        x = MIDDLE + (RIGHT - MIDDLE) * (span["start"] - begin) / whole
        width = max((RIGHT - MIDDLE) * span["took"] / whole, 3)
        indent = LEFT if span["name"] == "task" else LEFT + 18
        out.append(f'<text x="{indent}" y="{y + 17}">{escape(span["name"])}</text>')
        words = span["cause"] if span["error"] and span["name"] != "end" else span["phase"]
        words = words if len(words) <= 52 else words[:51] + "…"
        out.append(
            f'<text class="{"error" if span["error"] else "dim"}" x="{LEFT + 130}" y="{y + 17}">{escape(words)}</text>'
        )
        out.append(f'<rect class="bar{kind}" x="{x:.1f}" y="{y + 6}" width="{width:.1f}" height="12" rx="2"/>')
        out.append(f'<text class="dim" x="{min(x + width, RIGHT) + 6:.1f}" y="{y + 17}">{lasted(span["took"])}</text>')
    key = "red: an error"
    if any(span["instance"] != first for span in spans):
        key += "; purple: told by another process, after a restart"
    out.append(f'<text class="dim" x="{LEFT}" y="{height - 10}">{key}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(draw(json.load(file)["data"][0], sys.argv[2]))
