import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packtrain.web.access import Access, fault_of_token, new_token
from packtrain.web.request import Refused, Request, read_head

OWN = "127.0.0.1:8427"


def _head(line: str = "GET / HTTP/1.1", *headers: str) -> bytes:
    return "\r\n".join([line, *(headers or (f"Host: {OWN}",)), "", ""]).encode("latin-1")


def _request(path: str = "/", query: str = "", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", path, query, {"host": OWN, **named})


def test_a_browsers_request_is_read() -> None:
    head = _head("GET /part/now?x=%2e HTTP/1.1", f"Host: {OWN}", "Cookie: a=b", "Accept:text/html \t", "X:")
    assert read_head(head) == Request(
        "GET", "/part/now", "x=%2e", {"host": OWN, "cookie": "a=b", "accept": "text/html", "x": ""}
    )


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_head("POST / HTTP/1.1"), 405),
        (_head("DELETE * HTTP/1.1"), 405),
        (_head("CONNECT example.org:443 HTTP/1.1"), 405),
        (_head("GET http://127.0.0.1/ HTTP/1.1"), 400),
        (_head("GET * HTTP/1.1"), 400),
        (_head("get / HTTP/1.1"), 400),
        (_head("GET / HTTP/2.0"), 400),
        (_head("GET /"), 400),
        (_head("GET  / HTTP/1.1"), 400),
        (_head("GET /a\x00b HTTP/1.1"), 400),
        (_head("GET /\xe9 HTTP/1.1"), 400),
        (_head("GET /a\tb HTTP/1.1"), 400),
        (_head("GET /" + "a" * 3000 + " HTTP/1.1"), 414),
        (_head("GET / HTTP/1.1", "Accept: x"), 400),  # no Host
        (_head("GET / HTTP/1.1", f"Host: {OWN}", f"Host: {OWN}"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "Cookie: a=1", "Cookie: a=2"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "Content-Length: 5"), 413),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "Content-Length: 0", "Content-Length: 0"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "Transfer-Encoding: chunked"), 413),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", " folded: line"), 400),
        (_head("GET / HTTP/1.1", f"Host : {OWN}"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "X: a\nY: b"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", "X: a\rY: b"), 400),
        (_head("GET / HTTP/1.1", f"Host: {OWN}", *(f"X{n}: a" for n in range(200))), 431),
        (b"\r\n" + _head(), 400),
    ],
)
def test_everything_else_is_refused(head: bytes, status: int) -> None:
    assert read_head(head) == Refused(status)


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"Host:", b"\x00", b"a"])).map(b"".join)
)
@example(b"")
def test_any_bytes_are_a_request_or_a_status(head: bytes) -> None:
    found = read_head(head)
    if isinstance(found, Refused):
        assert found.status in (400, 405, 413, 414, 431)
    else:
        words = [found.path, found.query, *found.headers, *found.headers.values()]
        assert found.method in ("GET", "HEAD") and found.path.startswith("/")
        assert all(re.fullmatch(r"[\t -~]*", word) for word in words)


@pytest.mark.parametrize("host", [OWN, "localhost:8427", "LOCALHOST", "[::1]:9", "127.0.0.2:1", "192.0.2.7:8427"])
def test_the_page_answers_to_its_own_names(host: str) -> None:
    assert Access(["127.0.0.1", "192.0.2.7"], 8427, None).refuse(_request(host=host)) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8427", "127.0.0.1.evil.example", "", "localhost.", "192.0.2.8", "0.0.0.0", "[::2]",
     "localhost:8427@evil.example", "localhost evil", "2130706433", "[::1", "::1"],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_not_answered(host: str) -> None:
    refused = Access(["127.0.0.1", "192.0.2.7"], 8427, None).refuse(_request(host=host))
    assert refused is not None and refused.status == 421


def test_at_all_addresses_a_number_is_an_own_name_and_a_name_is_none() -> None:
    access = Access(["0.0.0.0"], 8427, None, ["workshop"])
    assert access.refuse(_request(host="198.51.100.4:8427")) is None
    assert access.refuse(_request(host="workshop:8427")) is None
    refused = access.refuse(_request(host="evil.example"))
    assert refused is not None and refused.status == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_elsewhere_may_link_here_and_read_nothing(site: str) -> None:
    access = Access(["127.0.0.1"], 8427, None)
    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")):
        refused = access.refuse(_request(sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=dest))
        assert refused is not None and refused.status == 403
    assert access.refuse(_request(sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")) is None


def test_a_token_is_shown_once_and_then_a_cookie_speaks() -> None:
    token = new_token()
    access = Access(["0.0.0.0"], 8427, token)
    for request in (
        _request(),
        _request("/status.json"),
        _request("/page.js"),
        _request(query="token=" + "x" * 32),
        _request(query="token="),
        _request(query=f"token={token}&token={token}"),
        _request(query="token=%ff%00"),
        _request(query="a&b&c&d&e&f=1;g"),
        _request("/status.json", f"token={token}"),
        _request(cookie=f"packtrain-8427={token}"),
        _request(cookie="packtrain-8427="),
    ):
        refused = access.refuse(request)
        assert refused is not None and refused.status == 403
        assert token.encode() not in refused.body and not refused.more
    entered = access.refuse(_request(query=f"token={token}"))
    assert entered is not None and entered.status == 200
    ((name, cookie),) = entered.more
    assert name == "Set-Cookie" and cookie.endswith("; Path=/; HttpOnly; SameSite=Strict") and token not in cookie
    assert token.encode() not in entered.body
    assert access.refuse(_request("/status.json", cookie=f"other=1; {cookie.partition(';')[0]}")) is None
    # Another run of the server does not know it.
    assert Access(["0.0.0.0"], 8427, token).refuse(_request(cookie=cookie.partition(";")[0])) is not None


def test_what_stands_in_a_list_of_processes_opens_it_one_time() -> None:
    token = new_token()
    access = Access(["0.0.0.0"], 8427, token)
    once = access.once()
    answers = [access.refuse(_request(query=f"token={shown}")) for shown in (once, once, token, token)]
    assert [answer.status for answer in answers if answer is not None] == [200, 403, 200, 200]


@pytest.mark.parametrize(
    "token", ["short", "a" * 40, "abababababababababababab", "with blanks in it and long", "ü" * 30, ""]
)
def test_a_token_that_is_guessed_easily_is_refused(token: str) -> None:
    assert fault_of_token(token)


def test_a_made_token_will_do() -> None:
    assert not any(fault_of_token(new_token()) for _ in range(200))
