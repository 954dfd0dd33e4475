"""How a webhook's template is filled in: which placeholders count, in which order, and what a bad one says."""

from __future__ import annotations

from build import (
    ABSENT,
    BACKEND,
    Literal,
    binary,
    boolean,
    collection,
    float_,
    generic,
    get_hook,
    hook,
    integer,
    mapping,
    none,
    packed,
    string,
)
from case import Case

FIVE = {"x": integer(5)}
TREE = {"g": generic({"a": {"b": 7}})}


def data(name: str, template: object, items: dict[str, Literal]) -> Case:
    """A template under one key of the data."""
    return hook(f"template/{name}", {"data": {"k": template}, "show_data": True}, items)


CASES: list[Case] = [
    # where placeholders are seen
    data("list", ["{inputs.x}", "z{inputs.x}", ["{inputs.x}"], {"d": "{inputs.x}"}], FIVE),
    data("nested-dicts", {"a": {"b": {"c": "{inputs.x}"}}}, FIVE),
    hook("template/keys-are-not-walked", {"data": {"{inputs.x}": "{inputs.x}"}}, FIVE),
    hook("template/url", {"url": f"{BACKEND}/json/{{inputs.x}}?a={{inputs.s}}"}, FIVE | {"s": string("a b&c=é#f")}),
    hook("template/url-whole", {"url": "{inputs.u}", "show_url": True}, {"u": string("http://127.0.0.1:1/x")}),
    hook("template/url-integer", {"url": "{inputs.x}"}, FIVE),
    hook("template/url-none", {"url": "{inputs.x}"}, {"x": none()}),
    hook("template/url-binary", {"url": "{inputs.x}"}, {"x": binary(b"\xff\xfe")}),
    hook("template/method", {"method": "{inputs.m}"}, {"m": string("get")}),
    hook("template/method-inside", {"method": "G{inputs.m}"}, {"m": string("et")}),
    hook("template/method-boolean", {"method": "{inputs.m}"}, {"m": boolean(True)}),
    hook("template/headers-whole", {"headers": "{inputs.h}"}, {"h": generic({"X-H": "v"})}),
    hook("template/headers-whole-number", {"headers": "{inputs.h}"}, {"h": generic({"X-H": 1})}),
    hook("template/data-whole", {"data": "{inputs.g}"}, TREE),
    get_hook("template/data-whole-get", {"data": "{inputs.g}"}, TREE),
    get_hook("template/data-integer-get", {"data": "{inputs.x}"}, FIVE),
    hook("template/data-binary", {"data": "{inputs.x}"}, {"x": binary(b"\xff\xfe")}),
    hook("template/timeout", {"timeout_sec": "{inputs.x}"}, FIVE),
    hook("template/timeout-string", {"timeout_sec": "{inputs.x}"}, {"x": string("5")}),
    hook("template/show", {"show_data": "{inputs.x}", "show_url": "{inputs.x}"}, {"x": boolean(True)}),
    hook("template/unknown-key", {"extra": "{inputs.nope}"}, FIVE),
    hook("template/unknown-key-fine", {"extra": "{inputs.x}"}, FIVE),
    # what is a placeholder
    data("no-dot", ["{x}", "{inputs}", "{}", "{ }", "{idempotence_token}", "}{", "{", "}"], FIVE),
    data("unbalanced", ["{inputs.x", "inputs.x}", "{inputs.x}}", "{x}{inputs.x}{y}"], FIVE),
    data("brace-inside", "{{inputs.x}}", FIVE),
    data("brace-before", "{a{inputs.x}}", FIVE),
    data("blanks", "{ inputs.x }", FIVE),
    data("no-key", "{inputs.}", FIVE),
    data("no-key-but-such-an-input", "{inputs.}", {"": integer(5)}),
    data("no-root", "{.x}", FIVE),
    data("only-dot", "{.}", FIVE),
    data("two-dots", "{inputs..x}", FIVE),
    data("newline", "{inputs.\nx}", {"\nx": integer(5)}),
    data("unicode", "{inputs.é世}", {"é世": integer(5)}),
    data("dollar", "${inputs.x} \\{inputs.x}", FIVE),
    # what is not there
    data("missing", "{inputs.nope}", FIVE),
    data("missing-inside", "a{inputs.nope}b", FIVE),
    data("missing-without-inputs", "{inputs.nope}", {}),
    data("missing-root", "{outputs.x}", FIVE),
    data("missing-quotes", "{inputs.nope}", {"it's": string("q'\n🚀")}),
    data("missing-second", "{inputs.x}{inputs.nope}", FIVE),
    data("missing-nested", "{inputs.g.a.q}", TREE),
    data("missing-unicode-key", "{inputs.ü\x7f}", FIVE),
    data("input-with-dot", "{inputs.a.b}", {"a.b": integer(5)}),
    # paths
    data("path", "{inputs.g.a.b}", TREE),
    data("path-inside", "v={inputs.g.a.b}", TREE),
    data("path-to-dict", "{inputs.g.a}", TREE),
    data("path-to-dict-inside", "v={inputs.g.a}", TREE),
    data("path-to-none", "{inputs.g.n}", {"g": generic({"n": None})}),
    data("path-map", "{inputs.m.k}", {"m": mapping(k=integer(5))}),
    data("path-map-inside", "{inputs.m.k}!", {"m": mapping(k=integer(5))}),
    data("path-everything", "{inputs.x.y}", {"x": mapping(y=mapping(z=collection(integer(1))))}),
    data("into-integer", "{inputs.x.y}", FIVE),
    data("into-float", "{inputs.x.y}", {"x": float_(1.5)}),
    data("into-boolean", "{inputs.x.y}", {"x": boolean(True)}),
    data("into-none", "{inputs.x.y}", {"x": none()}),
    data("into-binary", "{inputs.x.y}", {"x": binary(b"1")}),
    data("into-string", "{inputs.x.z}", {"x": string("hi")}),
    data("into-string-that-has-it", "{inputs.x.h}", {"x": string("hi")}),
    data("into-string-no-key", "{inputs.x.}", {"x": string("hi")}),
    data("into-list", "{inputs.x.0}", {"x": collection(integer(1))}),
    data("into-list-that-has-it", "{inputs.x.q}", {"x": collection(string("q"))}),
    data("into-msgpack", "{inputs.x.k}", {"x": packed({"k": 1})}),
    # several, and replaced text that looks like more
    data("several", "n={inputs.x} f={inputs.f} n={inputs.x}", FIVE | {"f": float_(1.5)}),
    data("twice-is-text", "{inputs.x}{inputs.x}", FIVE),
    data("replaced-has-later", "p {inputs.s} {inputs.x}", FIVE | {"s": string("{inputs.x}")}),
    data("replaced-has-earlier", "{inputs.x} {inputs.s}", FIVE | {"s": string("{inputs.x}")}),
    data("replaced-has-itself", "-{inputs.s}-", {"s": string("<{inputs.s}>")}),
    data("replaced-has-unknown", "-{inputs.s}-", {"s": string("{inputs.nope}")}),
    data("replaced-three", "{inputs.s}-{inputs.x}-{inputs.s}", FIVE | {"s": string("<{inputs.x}>")}),
    data("replaced-is-whole-then", "{inputs.e}{inputs.x}", FIVE | {"e": string("")}),
    data("replaced-is-whole-list", "{inputs.e}{inputs.l}", {"e": string(""), "l": collection(integer(1))}),
    data("replaced-is-spliced", "{inputs.s}x}", FIVE | {"s": string("{inputs.")}),
    data("native-is-not-walked", "{inputs.l}", FIVE | {"l": collection(string("{inputs.x}"))}),
    data("native-string-is-not-walked", "{inputs.s}", FIVE | {"s": string("a{inputs.x}")}),
    # numbers of the template itself are doubles
    data("template-numbers", [5, 5.5, 1e22, -0.0, 1e16, 1e-7, 9007199254740993, None, True, [], {}], {}),
    # what is shown
    hook("show/neither", {"data": {"a": 1}}),
    hook("show/data", {"data": {"a": None, "b": [1.5, "é"]}, "show_data": True}),
    hook("show/url", {"show_url": True}),
    hook("show/both", {"data": {"a": 1}, "show_data": True, "show_url": True}),
    hook("show/url-as-given", {"url": f"{BACKEND}/x/../json/é ?q=ü#frag", "show_url": True}),
    hook("show/data-null", {"data": None, "show_data": True}),
    hook("show/data-absent", {"data": ABSENT, "show_data": True}),
    hook("show/absent", {"show_data": ABSENT, "show_url": ABSENT}),
    hook("show/null", {"show_data": None, "show_url": None}),
    hook("show/string", {"show_data": "false", "show_url": ""}),
    hook("show/number", {"show_data": 1, "show_url": 0}),
    hook("show/containers", {"show_data": [], "show_url": {"a": 1}}),
    hook("show/failed", {"url": f"{BACKEND}/not-found", "show_data": True, "show_url": True}),
    # the fixture's shape, with several inputs at once
    hook(
        "template/as-users-write-it",
        {
            "url": f"{BACKEND}/json/{{inputs.item}}",
            "headers": {"X-Token": "{inputs.s}", "Content-Type": "application/json"},
            "data": {"n": "{inputs.item}", "text": "{inputs.s}", "mixed": "n={inputs.item} f={inputs.f}"},
            "show_data": True,
            "show_url": True,
        },
        {"item": integer(10), "s": string("hi"), "f": float_(1.5)},
    ),
]
