"""Pulling: what is fetched, what is refused, what is tried again."""
import gzip, time, warnings
from suite import *


@case("an image is pulled from an index, and nobody is told a password")
def _():
    r = registry()
    img, other = image(), image(b"other", arch="arm64")
    login_for(r)
    r.add("a/b", "amd", img)
    r.add("a/b", "arm", other)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        describe(other.manifest, MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
        describe(b"{}", MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
        describe(img.manifest, MANIFEST, platform={"os": "linux", "architecture": "amd64"})]}).encode()
    r.add_document("a/b", "1", index, INDEX)
    client("resolve", f"{r.name}/a/b:1", "linux/amd64").ok().says(
        f"name {r.name}/a/b:1@{digest(index)}", f"manifest {img.digest}", "platform linux/amd64")
    check(not r.seen(part="/blobs/" + digest(img.layers[0])), "resolving fetched a layer")
    pull(f"{r.name}/a/b:1").ok()
    equal(stored(), sorted(map(digest, img.layers)))
    check(INDEX in r.seen(part="manifests")[0].headers["Accept"], "no Accept")
    check(not [q for q in r.log if q.authorization], "credentials were sent unasked")
    pull(f"{r.name}/a/b:1", "linux/s390x").fails(
        "no match for platform linux/s390x; it has linux/arm64, linux/amd64")
    client("digest", f"{r.name}/a/b:1").ok().says(digest(index))


@case("no image says 404 and its name")
def _():
    r = registry()
    pull(f"{r.name}/a/b:1").fails(f"{r.name}/a/b:1: the registry answers 404 Not Found: MANIFEST_UNKNOWN")
    equal(len(r.seen(part="manifests")), 1, "requests")


# H038.
@case("a blob on another host, another port or with a signature gets no credentials (H151)")
def _():
    a, b, c = registry(basic=("user", "s3cret")), registry("127.0.0.2"), registry()
    img = image()
    login_for(a, b, c)
    a.add("a/b", "1", img)
    for other in (b, c):
        other.hook = lambda q: q.authorization and q.error(400, "InvalidArgument", "Only one auth mechanism allowed")
        for l in img.layers:
            other.blobs[digest(l)] = l
        a.hook = lambda q: ("/blobs/" in q.url and digest(img.config) not in q.url and not a.challenge(q) and
                            q.answer(307, headers={"Location": other.url + q.path + "?X-Amz-Signature=s3cret"}))
        pull(f"{a.name}/a/b:1").ok()
        equal([q.authorization for q in other.log], [None, None], "authorizations")
        for f in place().glob("store/blobs/sha256/*"):
            f.unlink()


# H038.
@case("another host that asks for a token gets one for nobody (H152)")
def _():
    a, b = registry(basic=("user", "s3cret")), registry("127.0.0.2", bearer=Tokens())
    img = image()
    login_for(a, b)
    a.add("a/b", "1", img)
    b.blobs = a.blobs
    a.hook = lambda q: "/blobs/" in q.url and not a.challenge(q) and q.answer(307, headers={"Location": b.url + q.path})
    pull(f"{a.name}/a/b:1").ok()
    check(b.bearer.asked, "no token was asked for")
    equal([x[2] for x in b.bearer.asked], [None] * len(b.bearer.asked), "authorizations at its token server")


# H037, H038.
@case("another host cannot ask for the password of the first (H152)")
def _():
    a, b = registry(basic=("user", "s3cret")), registry("127.0.0.2", basic=("user", "s3cret"))
    a.add("a/b", "1", image())
    login_for(a, b)
    b.blobs = a.blobs
    a.hook = lambda q: "/blobs/" in q.url and not a.challenge(q) and q.answer(302, headers={"Location": b.url + q.path})
    pull(f"{a.name}/a/b:1").fails("401 Unauthorized")
    equal([q.authorization for q in b.log if q.authorization], [], "authorizations")


# H037, H067.
@case("redirects to other protocols, strange hosts, internal addresses are refused")
def _():
    for to, why in (("file:///etc/passwd", "only http and https"), ("ftp://127.0.0.1/x", "only http and https"),
                    ("gopher://127.0.0.1/", "only http and https"), ("http://127.0.0.1%2f@evil/", "user and password"),
                    ("http://user:s3cret@127.0.0.1/", "user and password"), ("http://127.0.0.1\\@evil/", "backslash"),
                    ("http://169.254.169.254/latest/meta-data/", "internal address"),
                    ("http://[::ffff:169.254.169.254]/", "internal address")):
        r = registry()
        r.add("a/b", "1", image())
        r.hook = lambda q: "/blobs/" in q.url and q.answer(307, headers={"Location": to})
        pull(f"{r.name}/a/b:1").fails(why)
        kept_nothing()


# H036.
@case("https never becomes http, neither by redirect nor by realm (H153)")
def _():
    a, b = registry(tls=tls()), registry()
    trust(a)
    img = image()
    a.add("a/b", "1", img)
    b.blobs = a.blobs
    a.hook = lambda q: "/blobs/" in q.url and q.answer(302, headers={"Location": b.url + q.path})
    pull(f"{a.name}/a/b:1").fails("not encrypted")
    a.hook = lambda q: "/manifests/" in q.url and q.answer(401, headers={
        "WWW-Authenticate": f'Bearer realm="{b.url}/token"'})
    pull(f"{a.name}/a/b:1").fails("not encrypted")
    equal(b.log, [], "requests without TLS")


@case("a circle of redirects ends")
def _():
    r = registry()
    r.add("a/b", "1", image())
    r.hook = lambda q: "/blobs/" in q.url and q.answer(307, headers={"Location": q.path + "?again"})
    pull(f"{r.name}/a/b:1").fails("more than 10 redirects")


# H036.
@case("a certificate that nobody vouches for is an error, and http is not tried in its place (H189)")
def _():
    r = registry(tls=tls())
    r.add("a/b", "1", image())
    login_for(r)
    pull(f"{r.name}/a/b:1").fails()
    equal(r.log, [], "requests")
    trust(r)
    pull(f"{r.name}/a/b:1").ok()


@case("a host named insecure needs no certificate, and its neighbour still does (H188)")
def _():
    a, b = registry(tls=tls()), registry(tls=tls())
    a.add("a/b", "1", image())
    b.blobs = a.blobs
    pull(f"{a.name}/a/b:1", CAIRN_INSECURE_REGISTRIES=a.name).ok()
    img = image(b"new")
    a.add("a/b", "1", img)
    a.hook = lambda q: digest(img.layers[0]) in q.url and q.answer(307, headers={"Location": b.url + q.path})
    pull(f"{a.name}/a/b:1", CAIRN_INSECURE_REGISTRIES=a.name).fails("certificate")
    equal(b.log, [], "requests")


@case("a certificate that is wrong is told with its fault (H187, H199)")
def _():
    for how, host, why in ((tls("expired.crt"), "127.0.0.1", "has expired; is this machine's clock right?"),
                           (tls(), "127.0.0.2", "matches target host name '127.0.0.2'")):
        r = registry(host, tls=how)
        trust(r)
        pull(f"{r.name}/a/b:1").fails(f"https://{r.name}", why)
        equal(r.log, [], "requests")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = tls(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    r = registry(tls=old)
    trust(r)
    pull(f"{r.name}/a/b:1").fails("SSL routines")


@case("what the environment has for libraries and other programs is not read (H310)")
def _():
    r = registry(tls=tls())
    r.add("a/b", "1", image())
    trust(r)
    # Read, each of these would break the handshake, send a password, or leave a file.
    (place() / "openssl.cnf").write_text("openssl_conf = o\nconfig_diagnostics = 1\n[o]\nssl_conf = s\nproviders = p\n"
                                         "[s]\nsystem_default = d\n[d]\nMaxProtocol = TLSv1\n"
                                         "[p]\nhostile = h\n[h]\nmodule = /nonexistent/hostile.so\nactivate = 1\n")
    (place() / ".netrc").write_text("default login user password s3cret\n")
    (place() / ".curlrc").write_text("proxy = http://127.0.0.1:1\n")
    nowhere = dict.fromkeys(("CURL_CA_BUNDLE", "TMPDIR", "LOCPATH", "GCONV_PATH", "NLSPATH", "OPENSSL_MODULES",
                             "OPENSSL_ENGINES", "HOSTALIASES"), "/nonexistent")
    pull(f"{r.name}/a/b:1", OPENSSL_CONF=place() / "openssl.cnf", CURL_HOME=place(), NETRC=place() / ".netrc",
         CURL_SSL_BACKEND="none", LC_ALL="tr_TR.UTF-8", **nowhere).ok()
    check(all("Authorization" not in q.headers for q in r.log), "a password of .netrc was sent")


@case("a client's certificate goes to its registry, and what is wrong with it is named (H187)")
def _():
    asking = tls(verify_mode=ssl.CERT_REQUIRED)
    asking.load_verify_locations(TLS / "ca.crt")
    r = registry(tls=asking)
    r.add("a/b", "1", image())
    trust(r)
    pull(f"{r.name}/a/b:1").fails(f"; GET https://{r.name}: ")  # in what words depends on who is faster
    folder = place() / "certs.d" / r.name
    (folder / "client.cert").write_bytes((TLS / "server.crt").read_bytes())
    pull(f"{r.name}/a/b:1").fails("client.key", "client.cert", "No such file")
    for key in (b"junk", (TLS / "ca.key").read_bytes()):
        (folder / "client.key").write_bytes(key)
        pull(f"{r.name}/a/b:1").fails("certs.d", "client.key")
    (folder / "client.key").write_bytes((TLS / "server.key").read_bytes())
    pull(f"{r.name}/a/b:1").ok()
    (folder / "ca.crt").write_text("junk")
    pull(f"{r.name}/a/b:1").fails(f"certs.d/{r.name}/ca.crt is no certificate in PEM form")


@case("a host has several addresses, and the one that answers counts (H198)")
def _():
    for host in ("127.0.0.1", "::1"):
        try:
            r = registry(host)
        except OSError:
            continue  # a machine without IPv6
        r.add("a/b", "1", image())
        pull(f"localhost:{r.port}/a/b:1").ok()
        pull(f"{r.name}/a/b:1").ok()


@case("handshakes that break are tried again (H162)")
def _():
    r = registry(tls=tls())
    r.add("a/b", "1", image())
    trust(r)
    left = iter(range(3))
    def greet(connection):
        if next(left, None) is not None:
            connection.recv(10)
            connection.shutdown(socket.SHUT_RDWR)
    r.greet = greet
    pull(f"{r.name}/a/b:1").ok()


@case("what fails for a moment is tried again, each kind of request (H162)")
def _():
    for status in (408, 425, 429, 499, 500, 502, 503, 504, 522, 524):
        r = registry()
        img = image(b"%d" % status)
        r.add("a/b", "1", img)
        bad = first(2, "/manifests/", digest(img.config), digest(img.layers[0]))
        r.hook = lambda q: bad(q) and q.error(status, "UNAVAILABLE")
        pull(f"{r.name}/a/b:1").ok()
        equal(len(r.seen(part="/manifests/")), 3, "requests for the manifest")


@case("connections that break before an answer are tried again (H162)")
def _():
    r = registry()
    img = image()
    r.add("a/b", "1", img)
    bad = first(2, "/manifests/", digest(img.config), digest(img.layers[0]))
    r.hook = lambda q: bad(q) and q.reset()
    pull(f"{r.name}/a/b:1").ok()


@case("what keeps failing is given up, with the registry's words (H162)")
def _():
    r = registry()
    r.add("a/b", "1", image())
    r.hook = lambda q: "/manifests/" in q.url and q.error(503, "UNAVAILABLE", "come back on Monday")
    pull(f"{r.name}/a/b:1", CLIENT_ATTEMPTS=3).fails("503 Service Unavailable: UNAVAILABLE: come back on Monday")
    equal(len(r.seen(part="/manifests/")), 3, "attempts")


@case("Retry-After is honoured, and too long a pause is not waited for (H163, H183)")
def _():
    for value, fine in (("0", True), ("1", True), ("-5", True), ("soon", True), ("Thu, 01 Jan 1970 00:00:00 GMT", True),
                        ("1000000000", False), ("99999999999999999999", False)):
        r = registry()
        r.add("a/b", "1", image())
        bad = first(1, "/manifests/")
        r.hook = lambda q: bad(q) and q.error(429, "TOOMANYREQUESTS", "slow down",
                                              {"Retry-After": value, "ratelimit-limit": "100;w=21600"})
        begun = time.monotonic()
        result = client("resolve", f"{r.name}/a/b:1", "linux/amd64")
        if fine:
            result.ok()
            check(value != "1" or time.monotonic() - begun >= 1, "it did not wait")
        else:
            result.fails("429 Too Many Requests", "limit 100;w=21600", "retry after")


@case("what another attempt cannot mend is asked once (H164)")
def _():
    for status in (400, 403, 404, 405, 413):
        r = registry()
        r.hook = lambda q: "/manifests/" in q.url and q.error(status, "NO")
        pull(f"{r.name}/a/b:1").fails(str(status))
        equal(len(r.seen(part="/manifests/")), 1, f"requests after {status}")


def truncated(n):
    """A registry that hangs up N times in the middle of a large layer."""
    r = registry()
    img = image(bytes(range(256)) * 4096)
    r.add("a/b", "1", img)
    return r, img, img.layers[0], first(n, digest(img.layers[0]))


@case("a download goes on where it broke (H194)")
def _():
    r, img, layer, bad = truncated(1)
    r.hook = lambda q: bad(q) and q.cut(layer[:300000], length=len(layer))
    pull(f"{r.name}/a/b:1").ok()
    equal(stored(), [digest(layer)])
    ranges = [q.headers.get("Range") for q in r.seen(part=digest(layer))]
    check(ranges[0] is None and ranges[1] and ranges[1] != "bytes=0-", f"ranges {ranges}")


@case("a download begins anew where ranges are not known, or wrong (H195)")
def _():
    for how in (lambda q, l: q.answer(200, l),
                lambda q, l: q.answer(206, l[7:], {"Content-Range": f"bytes 7-{len(l) - 1}/{len(l)}"}),
                lambda q, l: q.answer(206, l[900000:], {"Content-Range": f"bytes 900000-{len(l) - 1}/{len(l)}"}),
                lambda q, l: q.answer(206, l[5:]),
                lambda q, l: q.error(416, "RANGE")):
        r, img, layer, bad = truncated(1)
        r.hook = lambda q: (bad(q) and q.cut(layer[:300000], length=len(layer)) or
                            q.headers.get("Range") and how(q, layer))
        pull(f"{r.name}/a/b:1").ok()
        equal(stored(), [digest(layer)])
        (place() / "store/blobs/sha256" / digest(layer)[7:]).unlink()


@case("a download that stalls is broken off and goes on (H194)")
def _():
    r, img, layer, bad = truncated(1)
    r.hook = lambda q: bad(q) and q.stall(layer[:300000], len(layer))
    pull(f"{r.name}/a/b:1", CLIENT_STALL=1).ok()
    equal(stored(), [digest(layer)])


@case("a resumed download of other bytes is refused (H195, H287)")
def _():
    r, img, layer, bad = truncated(1)
    r.hook = lambda q: (bad(q) and q.cut(b"x" + layer[1:300000], length=len(layer)))
    pull(f"{r.name}/a/b:1").fails("digest mismatch")
    kept_nothing()


# H041.
@case("bytes that are not what they are called are refused, whatever the registry says of them (H129)")
def _():
    good, bad = image(b"good"), image(b"bad")
    r = registry()
    r.add("a/b", "1", good)
    r.hook = lambda q: "/manifests/" in q.url and q.answer(
        200, bad.manifest, {"Content-Type": MANIFEST, "Docker-Content-Digest": good.digest})
    pull(f"{r.name}/a/b@{good.digest}").fails(f"{r.name}/a/b@{good.digest}: digest mismatch: got {bad.digest}")
    for victim in (good.config, good.layers[0]):
        r.hook = lambda q: digest(victim) in q.url and q.answer(200, bytes([victim[0] ^ 1]) + victim[1:])
        pull(f"{r.name}/a/b:1").fails("digest mismatch")
        kept_nothing()


@case("more or fewer bytes than described are refused (H128)")
def _():
    img = image(b"x" * 5000)
    for how in (lambda q, b: q.answer(200, b + b"y"), lambda q, b: q.answer(200, b[:-1]),
                lambda q, b: q.raw(b"HTTP/1.0 200 OK\r\n\r\n" + b + b"y"),
                lambda q, b: q.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n\r\n"),
                lambda q, b: q.endless(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536)):
        for victim in (img.config, img.layers[0]):
            r = registry()
            r.add("a/b", "1", img)
            r.hook = lambda q: digest(victim) in q.url and how(q, victim)
            pull(f"{r.name}/a/b:1", CLIENT_ATTEMPTS=2).fails(digest(victim))
            kept_nothing()


@case("servers of HTTP/1.0, with lower-case headers, without types are understood (H197)")
def _():
    img = image()
    r = registry()
    r.add("a/b", "1", img)
    old = lambda b: b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n" + b
    r.hook = lambda q: ("/manifests/" in q.url and q.raw(old(img.manifest)) or
                        digest(img.layers[0]) in q.url and q.raw(old(img.layers[0])) or
                        digest(img.config) in q.url and q.raw(
                            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + b"x-a: b\r\n" * 100 + b"\r\n" +
                            b"%x\r\n" % len(img.config) + img.config + b"\r\n0\r\nx-trailer: y\r\n\r\n"))
    pull(f"{r.name}/a/b:1").ok()


# H043.
@case("endless answers end, and do not fill the memory")
def _():
    zeros = b"0" * 65536
    places = {"manifest": "/manifests/", "config": digest(image().config)}
    for what, part in places.items():
        for head in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.0 404 No\r\n\r\n", b"HTTP/1.0 200 OK\r\n"):
            piece = zeros if head.endswith(b"\n\r\n") else b"x-%s: y\r\n" % zeros[:60]
            r = registry()
            r.add("a/b", "1", image())
            r.hook = lambda q: part in q.url and q.endless(head, piece)
            result = pull(f"{r.name}/a/b:1").fails()
            check(SANITIZED or result.rss < 64 << 10, f"{what}: {result.rss} KiB of memory")


@case("a web page is no registry's answer (H197)")
def _():
    page = b"<!DOCTYPE html><html>Sign in to the hotel's network</html>"
    r = registry()
    img = image()
    r.add("a/b", "1", img)
    r.hook = lambda q: "/manifests/" in q.url and q.answer(200, page, {"Content-Type": "text/html; charset=x"})
    pull(f"{r.name}/a/b:1").fails("web page; is this a registry?")
    r.hook = lambda q: "/manifests/" in q.url and q.answer(404, page, {"Content-Type": "text/html"})
    pull(f"{r.name}/a/b:1").fails("404", "is this a registry?")
    r.hook = lambda q: digest(img.layers[0]) in q.url and q.answer(200, page, {"Content-Type": "text/html"})
    pull(f"{r.name}/a/b:1").fails("web page")


@case("Content-Encoding does not change the bytes (H171)")
def _():
    img = image(gzip.compress(b"layer"))
    r = registry()
    r.add("a/b", "1", img)
    r.hook = lambda q: digest(img.layers[0]) in q.url and q.answer(200, img.layers[0], {"Content-Encoding": "gzip"})
    pull(f"{r.name}/a/b:1").ok()
    check("Accept-Encoding" not in r.log[-1].headers, "it asks for an encoding")


@case("a registry's words are shown without control characters, and cut (H200)")
def _():
    r = registry()
    r.hook = lambda q: "/manifests/" in q.url and q.error(404, "X\x1b[2J", "evil\x1b]0;title\x07\n\xff" + "y" * 50000)
    result = pull(f"{r.name}/a/b:1").fails("evil")
    check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\xff]", result.text), repr(result.text))
    check(len(result.text) < 1500, "too long")


@case("documents that contradict themselves are refused (H131 to H133)")
def _():
    img = image()
    diff_ids = json.loads(img.config)["rootfs"]["diff_ids"]
    broken = [
        (image(manifest={"manifests": []}), "both an index and a manifest"),
        (image(manifest={"mediaType": INDEX}), "is called"),
        (image(manifest={"schemaVersion": 1}), "schemaVersion"),
        (image(manifest={"config": None}), "config"),
        (image(manifest={"layers": None}), "layers"),
        (image(manifest={"layers": [None]}), "layers[0]"),
        (image(manifest={"layers": [{**describe(b"x", LAYER), "digest": "sha256:../../x"}]}), "not a digest"),
        (image(manifest={"layers": [{**describe(b"x", LAYER), "size": -1}]}), "size"),
        (image(manifest={"layers": [{**describe(b"x", LAYER), "size": 1e3}]}), "layers[0]"),
        (image(manifest={"config": describe(b"x" * (9 << 20), CONFIG)}), "more than"),
        (image(config={}), "rootfs"),
        (image(config={"rootfs": {"type": "layers", "diff_ids": diff_ids[:1]}}), "rootfs.diff_ids has 1"),
        (image(config={"rootfs": {"type": "layers", "diff_ids": diff_ids + diff_ids}}), "rootfs.diff_ids has 4"),
        (image(config={"rootfs": {"diff_ids": diff_ids}, "config": {"Env": [None]}}), "config.Env"),
        (image(config=[]), "not an object"),
    ]
    for img, why in broken:
        r = registry()
        r.add("a/b", "1", img)
        pull(f"{r.name}/a/b:1").fails(why)
    for text, why in ((b'{"layers":[],"layers":[]}', "duplicate"), (b"[" * 100000, "deep"), (b"\xef\xbb\xbf{}", "manifest"),
                      (b"{} x", "end of file"), (b"", "manifest"), (b"null", "manifest")):
        r = registry()
        r.add_document("a/b", "1", text, MANIFEST)
        pull(f"{r.name}/a/b:1").fails(why)


@case("what is missing, wrong or new beside what counts does not matter (H137, H315)")
def _():
    r = registry()
    more = {"future": {"x": [1]}, "annotations": {"a": "b"}, "artifactType": "text/plain"}
    img = image(manifest={**more, "mediaType": None})
    img.document.pop("mediaType")
    img.document["layers"][0]["future"] = True
    img.manifest = json.dumps(img.document).encode()
    r.add("a/b", "x", img)
    amd = {"os": "linux", "architecture": "amd64", "os.features": ["x"], "future": 1}
    other = describe(b"{}", "application/vnd.future.thing+json", platform=amd, artifactType="x")
    index = json.dumps({"schemaVersion": 2, **more, "manifests": [
        other, {**describe(img.manifest, MANIFEST, platform=amd), "future": 1}]}).encode()
    r.add_document("a/b", "1", index, "application/json")
    for length in (0, 5, 1 << 40):
        def hook(q):
            if "/manifests/" in q.url and q.method == "HEAD":
                return q.answer(200, length=length)
        r.hook = hook
        client("digest", f"{r.name}/a/b:1").ok().says(digest(index))
        pull(f"{r.name}/a/b:1").ok()
    # Nothing but what nobody knows.
    chart = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": describe(b"{}", "application/x"),
                        "layers": [describe(b"x", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")]}).encode()
    r.blobs[digest(b"{}")] = b"{}"
    for entry in (other, describe(chart, MANIFEST, platform=amd)):
        r.hook = lambda q: other["digest"] in q.url and q.answer(200, b"{}", {"Content-Type": other["mediaType"]})
        r.add_document("a/b", digest(chart), chart, MANIFEST)
        r.add_document("a/b", "odd", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(), INDEX)
        pull(f"{r.name}/a/b:odd").fails("neither an index nor a manifest" if entry is other else "unsupported media type")


@case("an index must know its entries' sizes, and not be a staircase (H134)")
def _():
    r = registry()
    img = image()
    r.add("a/b", "x", img)
    amd = {"os": "linux", "architecture": "amd64"}
    def index_of(data, media_type, **more):
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**describe(data, media_type, platform=amd), **more}]}).encode()
    r.add_document("a/b", "size", index_of(img.manifest, MANIFEST, size=7), INDEX)
    pull(f"{r.name}/a/b:size").fails("has 7 bytes")
    inner = index_of(img.manifest, MANIFEST)
    r.add_document("a/b", "inner", inner, INDEX)
    r.add_document("a/b", "nested", index_of(inner, INDEX), INDEX)
    pull(f"{r.name}/a/b:nested").ok()
    for _ in range(10):
        inner = index_of(inner, INDEX)
        r.add_document("a/b", "deep", inner, INDEX)
    pull(f"{r.name}/a/b:deep").fails("nested more than")


@case("an entry without a platform is judged by its config (H135)")
def _():
    r = registry()
    img = image(arch="arm64")
    r.add("a/b", "x", img)
    r.add_document("a/b", "1", json.dumps({"schemaVersion": 2, "manifests": [describe(img.manifest, MANIFEST)]}).encode(),
                   INDEX)
    pull(f"{r.name}/a/b:1", "linux/amd64").fails("no match for platform linux/amd64; it has linux/arm64")
    pull(f"{r.name}/a/b:1", "linux/arm64").ok()


@case("the digest of a tag is found where HEAD is refused (H161)")
def _():
    r = registry()
    img = image()
    r.add("a/b", "1", img)
    r.hook = lambda q: q.method == "HEAD" and q.answer(405)
    client("digest", f"{r.name}/a/b:1").ok().says(img.digest)
    r.hook = lambda q: q.method == "HEAD" and q.answer(200)
    client("digest", f"{r.name}/a/b:1").ok().says(img.digest)


@case("nobody listening is told soon and by name")
def _():
    r = registry()
    r.close()
    client("resolve", f"{r.name}/a/b:1", "linux/amd64").fails(f"GET http://{r.name}: ", "connect")


@case("a user's authorization for a URL stays with its host (H151)")
def _():
    a, b = registry(), registry()
    b.hook = lambda q: q.answer(200, b"body")
    a.hook = lambda q: q.answer(302, headers={"Location": b.url + "/there"})
    client("get", a.url + "/here", CLIENT_AUTHORIZATION="Bearer s3cret").ok().says("status 200, 4 bytes")
    equal([a.log[0].authorization, b.log[0].authorization], ["Bearer s3cret", None])


@case("a proxy is used for other hosts, never for this machine, and its password is not shown (H186)")
def _():
    proxy, r = registry(), registry()
    r.hook = proxy.hook = lambda q: q.answer(200, b"ok")
    use = {"http_proxy": f"http://user:s3cret@{proxy.name}"}
    client("get", "http://somewhere.invalid/x", **use).ok()
    equal([q.url for q in proxy.log], ["http://somewhere.invalid/x"])
    client("get", r.url + "/x", **use).ok()
    equal((len(proxy.log), len(r.log)), (1, 1), "requests")
    client("get", "http://other.invalid/x", http_proxy="http://user:s3cret@127.0.0.1:1", CLIENT_ATTEMPTS=1).fails()
    for rule in (".invalid", "else.invalid,somewhere.invalid", "*"):
        client("get", "http://somewhere.invalid/x", no_proxy=rule, CLIENT_ATTEMPTS=1, **use).fails("resolve")
    equal(len(proxy.log), 1, "requests to the proxy")
    for name in ("HTTPS_PROXY", "https_proxy"):
        client("get", "https://somewhere.invalid/x", CLIENT_ATTEMPTS=1, **{name: use["http_proxy"]}).fails("501")
