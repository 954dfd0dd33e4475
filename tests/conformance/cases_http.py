"""What a webhook's request looks like on the wire: URL, query, headers, body, method."""

from __future__ import annotations

from typing import Any

from build import ABSENT, BACKEND, HOST, PORT, get_hook, hook
from case import Case

AS_USER = f"http://us%C3%A9r:pa%40ss@{HOST}"
PRINTABLE = "".join(chr(code) for code in range(33, 127) if chr(code) not in "#?{}")


def url(name: str, rest: str, **custom: Any) -> Case:
    """A GET of this path and query; no data, so that the URL's own query is kept."""
    return get_hook(f"url/{name}", {"url": BACKEND + rest, "data": None} | custom)


def odd_url(name: str, value: Any) -> Case:
    return get_hook(f"url/{name}", {"url": value, "timeout_sec": 2})


def params(name: str, value: Any) -> Case:
    """A GET with one query parameter."""
    return get_hook(f"query/value-{name}", {"data": {"k": value}})


def query(name: str, data: Any) -> Case:
    """A GET with this data beside a query in the URL."""
    return get_hook(f"query/{name}", {"data": data, "url": f"{BACKEND}/json?q=1"})


def headers(name: str, value: Any) -> Case:
    return hook(f"headers/{name}", {"headers": value, "data": {"d": "e"}, "timeout_sec": 2})


def body(name: str, data: Any) -> Case:
    return hook(f"body/{name}", {"data": data, "show_data": True})


def method(name: str, value: Any) -> Case:
    return hook(f"method/{name}", {"method": value, "data": {"d": "e"}})


URLS = [
    url("path-characters", f"/json/{PRINTABLE}"),
    url("path-braces", "/json/{}{a}}"),
    url("path-unicode", "/json/a b é 世 🚀"),
    url("path-escapes", "/json/%41%2f%2F%e9"),
    url("path-bad-escapes", "/json/%zz%4%"),
    url("path-dots", "/a/../json/./x//y/.."),
    url("path-last-dot", "/json/."),
    url("path-last-dots", "/json/x/.."),
    url("path-dots-above", "/../../json"),
    url("path-escaped-dots", "/json/%2e%2E/x"),
    url("path-backslash", "/json\\x"),
    url("path-double-slash", "//json"),
    url("path-trailing-blank", "/json "),
    url("path-empty", ""),
    url("path-empty-query", "?a=b"),
    url("query-characters", f"/json?{PRINTABLE}?{{}}"),
    url("query-escapes", "/json?a=%41+b c%2f%zz é"),
    url("query-empty", "/json?"),
    url("query-same-key", "/json?a=b&a=a&c"),
    url("fragment", "/json?a#f?g"),
    url("fragment-only", "/json#f"),
    url("query-post", "/json?a=b&a=c&d", method="POST", data={}),
    odd_url("userinfo", f"{AS_USER}/json"),
    odd_url("userinfo-no-password", f"{AS_USER.replace(':pa%40ss', '')}/json"),
    get_hook("url/userinfo-and-header", {"url": f"{AS_USER}/json", "headers": {"Authorization": "Bearer t"}}),
    odd_url("null", None),
    odd_url("absent", ABSENT),
    odd_url("number", 5),
    odd_url("boolean", True),
    odd_url("list", ["a"]),
    odd_url("dict", {"a": "b"}),
    odd_url("empty", ""),
    odd_url("relative", "/x"),
    odd_url("word", "json"),
    odd_url("no-host", "http:///x"),
    odd_url("scheme-only", "http://"),
    odd_url("no-slashes", "http:127.0.0.1"),
    odd_url("no-scheme", "//127.0.0.1/x"),
    odd_url("leading-blank", f" {BACKEND}/json"),
    odd_url("ftp", "ftp://127.0.0.1/x"),
    odd_url("file", "file:///etc/hostname"),
    odd_url("port-word", "http://127.0.0.1:abc/"),
    odd_url("port-too-large", "http://127.0.0.1:99999/"),
    odd_url("port-zero", "http://127.0.0.1:0/"),
    odd_url("bracket", "http://[::1"),
    odd_url("newline", f"{BACKEND}/json\n"),
    odd_url("tab", f"{BACKEND}/js\ton"),
    odd_url("delete", f"{BACKEND}/json\x7f"),
    odd_url("too-long", f"{BACKEND}/" + "x" * 70000),
    odd_url("long", f"{BACKEND}/json/" + "x" * 20000),
    odd_url("tls-to-plain", f"https://{HOST}/json"),
    odd_url("upper-case-scheme", f"HTTP://{HOST}/json"),
    odd_url("ipv4-in-ipv6", f"http://[::ffff:127.0.0.1]:{PORT}/json"),
    odd_url("localhost", f"http://LocalHost:{PORT}/json"),
    hook("url/only", {"url": f"{BACKEND}/json?x=1"}, defaults=False),
    hook("url/nothing", {}, defaults=False),
]

QUERIES = [
    params("true", True),
    params("false", False),
    params("null", None),
    params("integral", 1),
    params("float", 1.5),
    params("1e22", 1e22),
    params("empty", ""),
    params("characters", "".join(chr(code) for code in range(32, 127))),
    params("unicode", "é 世 🚀"),
    params("newline", "a\r\n\tb\x00"),
    params("list", [1, "a", None, True, 2.5, ""]),
    params("list-empty", []),
    params("list-of-lists", [[1, 2], []]),
    params("list-of-dicts", [{"a": 1}]),
    params("dict", {"a": 1}),
    params("dict-nested", {"a": {"it's": [None, True]}}),
    params("dict-empty", {}),
    get_hook("query/key-characters", {"data": {"k é&=+/?#[]~": "v"}}),
    get_hook("query/key-empty", {"data": {"": "v"}}),
    get_hook("query/several-keys", {"data": {"b": 1, "a": [2, 1], "c": "x"}}),
    query("null", None),
    query("absent", ABSENT),
    query("dict-empty", {}),
    query("dict", {"x": "y", "q": "2"}),
    query("list-empty", []),
    query("list-of-pairs", [["a", "b"], ["c", 1], ["a", "d"]]),
    query("list-of-pairs-odd", [["a", None], ["b", ["x"]], ["c", True], ["d", 1, 2], [1, 2]]),
    query("list-of-strings", ["ab", "xyz"]),
    query("list-of-letters", ["a"]),
    query("list-of-numbers", [1]),
    query("list-of-dicts", [{"a": 1}]),
    query("string", "a=b&c=d"),
    query("string-word", "plain"),
    query("string-escapes", "a=b c&a=%41&é=ü"),
    query("string-blank-values", "a&b=&&c=="),
    query("string-semicolon", "a=b;c=d"),
    query("string-empty", ""),
    query("string-separators", "&&"),
    query("string-braces", "{}"),
    query("number", 5),
    query("zero", 0),
    query("true", True),
    query("false", False),
]

BODIES = [
    body("null", None),
    body("absent", ABSENT),
    body("dict-empty", {}),
    body("dict", {"a": {"b": []}}),
    body("dict-of-several", {"b": 1, "a": "é\u2028</", "c": {"y": None, "x": [True]}}),
    body("list-empty", []),
    body("list", [1, "é", None, {"a": 0.1}]),
    body("string", 'q"\\ \u2028 </ é 🚀'),
    body("string-controls", "\x00\x01\b\f\n\r\t\x1f\x7f\x80"),
    body("string-empty", ""),
    body("number", 5),
    body("true", True),
    body("false", False),
    body("large", {"a": "é" * 200_000}),
]

METHODS = [
    method("get", "get"),
    method("mixed-get", "Get"),
    method("post", "post"),
    method("put", "PUT"),
    method("delete", "DELETE"),
    method("head", "HEAD"),
    method("empty", ""),
    method("null", None),
    method("absent", ABSENT),
    method("number", 5),
    method("list", ["GET"]),
    method("dict", {"a": 1}),
    method("blank", " GET"),
]

HEADERS = [
    headers("null", None),
    headers("absent", ABSENT),
    headers("list-empty", []),
    headers("string", "abc"),
    headers("string-empty", ""),
    headers("number", 5),
    headers("zero", 0),
    headers("true", True),
    headers("list-of-pairs", [["A", "b"], ["C", "d"]]),
    headers("list-of-pairs-number", [["A", 1]]),
    headers("list-of-strings", ["ab"]),
    headers("list-of-words", ["abc"]),
    headers("value-null", {"A": None}),
    headers("value-number", {"A": 1}),
    headers("value-boolean", {"A": True}),
    headers("value-list", {"A": ["x"]}),
    headers("value-dict", {"A": {"b": 1}}),
    headers("value-empty", {"A": ""}),
    headers("value-blanks", {"A": " x "}),
    headers("value-trailing-blank", {"A": "x "}),
    headers("value-inner-tab", {"A": "a\tb"}),
    headers("value-only-tab", {"A": "\t"}),
    headers("value-unicode", {"A": "é"}),
    headers("value-cjk", {"A": "ok 日"}),
    headers("value-newline", {"A": "x\ny"}),
    headers("value-injection", {"A": "x\r\nB: y"}),
    headers("value-nul", {"A": "a\x00b"}),
    headers("value-delete", {"A": "\x7f"}),
    headers("value-quotes", {"A": 'it\'s "q"\x00'}),
    headers("value-long", {"A": "y" * 30_000}),
    headers("name-empty", {"": "x"}),
    headers("name-blank", {"A B": "x"}),
    headers("name-colon", {"A:": "x"}),
    headers("name-unicode", {"é": "x"}),
    headers("name-symbols", {"!#$%&'*+-.^_`|~": "x"}),
    headers("several", {"X-A": "1", "X-B": "2", "Authorization": "Bearer t", "Cookie": "a=b"}),
    headers("same-name", {"x-a": "1", "X-A": "2"}),
    headers("content-type", {"Content-Type": "text/x"}),
    headers("content-type-lower-case", {"content-type": "application/vnd.x+json; charset=utf-8"}),
    headers("content-type-empty", {"Content-Type": ""}),
    headers("content-length", {"Content-Length": "3"}),
    headers("content-length-right", {"Content-Length": "9"}),
    headers("host", {"Host": "example.org"}),
    headers("user-agent", {"User-Agent": "me/1"}),
    headers("accept", {"Accept": "x/y"}),
    headers("accept-encoding", {"Accept-Encoding": "identity"}),
    headers("connection", {"Connection": "close"}),
    get_hook("headers/get-content-type", {"headers": {"Content-Type": "application/json"}}),
]

CASES: list[Case] = URLS + QUERIES + BODIES + METHODS + HEADERS
