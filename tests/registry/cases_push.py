"""Pushing: to registries as they are."""
import socket, time
from suite import *


def arrived(r, img, repository="a/b", tag="1"):
    equal(r.manifests.get((repository, tag)), (MANIFEST, img.manifest), "manifest")
    for b in img.layers + [img.config]:
        equal(r.blobs.get(digest(b)), b, "blob")


@case("blobs go first, each once, the manifest last; a second push sends nothing (H169, H176)")
def _():
    r = registry()
    img = image(b"a" * 100000, b"b" * 70000, b"a" * 100000, b"")
    push(f"{r.name}/a/b:1", img).ok().says(f"pushed {img.digest}")
    arrived(r, img)
    equal(r.log[-1].method + " " + r.log[-1].path, "PUT /v2/a/b/manifests/1")
    equal(len(r.seen("PUT", "/blobs/")), 4, "uploads")
    equal(len(r.seen(part="/manifests/")), 1, "requests for the manifest")
    for q in r.seen("PUT"):
        equal((q.headers.get("Expect"), q.headers.get("Transfer-Encoding")), (None, None))
        check(q.headers.get("Content-Length") is not None, "no length")
    r.log.clear()
    push(f"{r.name}/a/b:2", img).ok()
    equal(sorted({q.method for q in r.log}), ["GET", "HEAD", "PUT"])
    equal(len(r.seen("PUT")), 1, "PUTs of the second push")


@case("a Location may have any form, and its query comes back as it was (H154)")
def _():
    for form, want in (("http://{}/up?_state=a%2Fb%3d", "/up?_state=a%2Fb%3d&digest="), ("/up?a=1&b=%20", "/up?a=1&b=%20&digest="),
                       ("/up", "/up?digest="), ("up/x", "/v2/a/b/blobs/uploads/up/x?digest="),
                       ("../up", "/v2/a/b/blobs/up?digest="), ("//{}/up", "/up?digest="), ("/up?x#frag", "/up?x&digest=")):
        r = registry()
        img = image()
        def hook(q):
            if q.method == "POST":
                return q.answer(202, headers={"Location": form.format(r.name)})
            if q.method == "PUT" and "/manifests/" not in q.url:
                data = q.read()
                check(q.url == want + digest(data).replace(":", "%3A"), f"{form}: {q.url}")
                r.blobs[digest(data)] = data
                return q.answer(201)
        r.hook = hook
        push(f"{r.name}/a/b:1", img).ok()
        arrived(r, img)
    r = registry()
    r.hook = lambda q: q.method == "POST" and q.answer(202)
    push(f"{r.name}/a/b:1", image()).fails("does not say where to send the blob")


# H038.
@case("an upload that is sent elsewhere takes no credentials along (H151)")
def _():
    a, b = registry(basic=("user", "s3cret")), registry("127.0.0.2")
    login_for(a, b)
    img = image()
    def take(q):
        data = q.read()
        a.blobs[digest(data)] = data
        return q.answer(201)
    b.hook = take
    a.hook = lambda q: (q.method == "POST" and not a.challenge(q) and
                        q.answer(202, headers={"Location": b.url + "/up?X-Amz-Signature=s3cret"}))
    push(f"{a.name}/a/b:1", img).ok()
    arrived(a, img)
    equal({q.authorization for q in b.log}, {None}, "authorizations")


# H038.
@case("an upload that is redirected is sent again in full, without credentials (H170)")
def _():
    a, b = registry(basic=("user", "s3cret")), registry("127.0.0.2")
    login_for(a, b)
    img = image(b"x" * 3000000)
    def take(q):
        data = q.read()
        a.blobs[digest(data)] = data
        return q.answer(201)
    b.hook = take
    a.hook = lambda q: (q.method == "PUT" and "/uploads/" in q.url and not a.challenge(q) and
                        q.answer(307, headers={"Location": b.url + "/up"}))
    push(f"{a.name}/a/b:1", img).ok()
    arrived(a, img)
    equal({q.authorization for q in b.log}, {None}, "authorizations")


@case("a redirect that would turn what is sent into a GET is refused, and says where to (H172)")
def _():
    for status in (301, 302, 303):
        for method, part in (("POST", "/uploads/"), ("PUT", "/uploads/"), ("PUT", "/manifests/")):
            r = registry()
            r.hook = lambda q: q.method == method and part in q.url and q.answer(
                status, headers={"Location": "//127.0.0.2:99/elsewhere?X-Amz-Signature=s3cret"})
            push(f"{r.name}/a/b:1", Image([])).fails(f"the registry answers {status}", "to http://127.0.0.2:99,")
            equal(len(r.seen(method, part)), 1, "requests")


@case("an upload is not sent to an internal address, nor from https to http (H153, H155)")
def _():
    a = registry()
    a.hook = lambda q: q.method == "POST" and q.answer(202, headers={"Location": "http://169.254.169.254/up"})
    push(f"{a.name}/a/b:1", image()).fails("internal address")
    a, b = registry(tls=tls()), registry()
    trust(a)
    a.hook = lambda q: q.method == "POST" and q.answer(202, headers={"Location": b.url + "/up"})
    push(f"{a.name}/a/b:1", image()).fails("not encrypted")
    equal(b.log, [])


@case("an upload that breaks begins anew with another POST (H165, H166, H167)")
def _():
    for at in (0, 1, 100000, 2999999):
        r = registry()
        img = image(b"x" * 3000000)
        bad = first(2, "/uploads/", method="PUT")
        def hook(q):
            if q.method == "POST":  # on a connection that it had used before libcurl repeats by itself
                r.uploads[f"u{id(q)}"] = b""
                return q.answer(202, headers={"Location": f"/v2/a/b/blobs/uploads/u{id(q)}", "Connection": "close"})
            if bad(q):
                q.handler.rfile.read(min(at, int(q.headers["Content-Length"])))
                return q.reset()
        r.hook = hook
        push(f"{r.name}/a/b:1", img).ok()
        arrived(r, img)
        equal(len(r.seen("POST")), 4, "POSTs")


@case("an upload that fails for a moment, or is forgotten, begins anew")
def _():
    for status, code in ((500, "UNKNOWN"), (503, "UNAVAILABLE"), (429, "TOOMANYREQUESTS"), (404, "BLOB_UPLOAD_UNKNOWN"),
                         (416, "BLOB_UPLOAD_INVALID"), (400, "BLOB_UPLOAD_INVALID")):
        r = registry()
        img = image()
        bad = first(1, "/uploads/", method="PUT")
        r.hook = lambda q: bad(q) and q.error(status, code)
        push(f"{r.name}/a/b:1", img).ok()
        arrived(r, img)


@case("an upload of which only the answer is lost is not sent again (H165)")
def _():
    for how in (lambda q: q.error(504, "GATEWAY_TIMEOUT"), lambda q: q.reset()):
        r = registry()
        img = image(b"x" * 3000000)
        def hook(q):
            if q.method == "POST":  # see above
                return q.answer(202, headers={"Location": f"/v2/a/b/blobs/uploads/u{id(q)}", "Connection": "close"})
            if q.method == "PUT" and "/uploads/" in q.url:
                data = q.read()
                r.blobs[digest(data)] = data
                return how(q)
        r.hook = hook
        push(f"{r.name}/a/b:1", img).ok()
        arrived(r, img)
        equal(len(r.seen("PUT", "/uploads/")), 2, "uploads")


@case("an upload that nobody reads is broken off and sent again (H194)")
def _():
    r = registry()
    img = image(b"x" * (8 << 20))
    bad, over = first(1, "/uploads/", method="PUT"), threading.Event()
    def hook(q):
        if int(q.headers.get("Content-Length") or 0) > 1 << 20 and bad(q):
            over.wait(20)
            q.handler.close_connection = True
            return True
    r.hook = hook
    push(f"{r.name}/a/b:1", img, CLIENT_STALL=1).ok()
    over.set()
    arrived(r, img)


@case("an upload that is to wait does, as long as it is told to (H163)")
def _():
    for method in ("PUT", "PATCH"):
        for value, fine in (("1", True), ("1000000000", False)):
            r = registry()
            img = Image([])
            times = []
            def hook(q):
                if method == "PATCH" and q.method == "PUT" and q.headers["Content-Length"] != "0" and "/uploads/" in q.url:
                    return q.error(405, "UNSUPPORTED")
                if q.method == method and "/uploads/" in q.url:
                    times.append(time.monotonic())
                    return len(times) == 1 and q.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": value})
            r.hook = hook
            result = push(f"{r.name}/a/b:1", img)
            if fine:
                result.ok()
                check(times[1] - times[0] >= 1, "it did not wait")
            else:
                result.fails("429 Too Many Requests", "retry after 1000000000")
                equal(len(times), 1, "attempts")


@case("what is refused for good is not sent again (H164)")
def _():
    for status, code, why in ((413, "SIZE", "too large"), (400, "DIGEST_INVALID", "DIGEST_INVALID"), (403, "DENIED", "403")):
        r = registry()
        r.hook = lambda q: q.method == "PUT" and "/uploads/" in q.url and q.error(status, code)
        push(f"{r.name}/a/b:1", Image([])).fails(why)
        equal(len(r.seen("PUT")), 1, "PUTs")


@case("a refusal that comes before all is sent is understood (H168)")
def _():
    r = registry()
    body = b'{"errors":[{"code":"DENIED","message":"quota"}]}'
    r.hook = lambda q: (q.method == "PUT" and "/uploads/" in q.url and int(q.headers["Content-Length"]) > 1 << 20 and
                        q.raw(b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    push(f"{r.name}/a/b:1", image(b"x" * (20 << 20))).fails()


@case("a registry that takes no PUT with a body gets one PATCH (H167, H168)")
def _():
    for refusal in ((405, "UNSUPPORTED"), (415, ""), (501, ""), (404, "")):
        for after in (201, 202, 204):
            r = registry()
            img = image()
            def hook(q):
                if q.method == "PUT" and "/uploads/" in q.url and q.headers["Content-Length"] != "0":
                    return q.error(*refusal)
                if q.method == "PATCH":
                    r.uploads[q.path.rpartition("/")[2]] = q.read()
                    return q.answer(after)  # no new Location: the old one goes on
            r.hook = hook
            push(f"{r.name}/a/b:1", img).ok()
            arrived(r, img)
            equal(len(r.seen("PATCH")), 3, "PATCHes")


@case("a layer of a neighbour is mounted; where that is refused it is sent (H173)")
def _():
    img = image()
    layers = len(img.layers)
    for status, sent in ((201, 0), (202, layers), (405, layers), (403, layers), (404, layers), (400, layers)):
        r = registry(bearer=Tokens())
        for l in img.layers:
            r.blobs[digest(l)] = l
        def hook(q):
            if q.method == "HEAD":
                return r.challenge(q) is None and q.error(404, "BLOB_UNKNOWN")
            if q.method == "POST" and "mount=" in q.url and status != 201 and not r.challenge(q):
                if status == 202:
                    r.count += 1
                    r.uploads[f"m{r.count}"] = b""
                    return q.answer(202, headers={"Location": r.location("a/b", f"m{r.count}")})
                return q.error(status, "UNSUPPORTED")
        r.hook = hook
        push(f"{r.name}/a/b:1", img, f"{r.name}/base/x").ok().says(*["mounted"] * (status == 201))
        arrived(r, img)
        equal(len(r.seen("PUT", "/uploads/")), sent + 1, f"uploads after {status}")
        check("repository:base/x:pull" in str(r.bearer.asked), "the scope does not name the lender")


@case("a token server that knows nothing of the lender costs no more than the loan (H174)")
def _():
    img = image()
    for status in (400, 401, 403, 404):
        for asks in (False, True):
            r = registry(bearer=Tokens())
            bad = first(1, "mount=", method="POST")
            r.hook = lambda q: (
                q.path == "/token" and "base" in q.query and q.error(status, "DENIED", "no such repository") or
                asks and bad(q) and q.error(401, "UNAUTHORIZED", headers={
                    "WWW-Authenticate": f'Bearer realm="{r.url}/token",service="fake",'
                                        'scope="repository:a/b:pull,push repository:base/x:pull"'}))
            push(f"{r.name}/a/b:1", img, f"{r.name}/base/x").ok()
            arrived(r, img)
            equal(len(r.seen("PUT", "/uploads/")), len(img.layers) + 1, "uploads")


@case("another registry's blobs are not asked for (H174)")
def _():
    r = registry()
    push(f"{r.name}/a/b:1", image(), "other.example/base/x").ok()
    check(not r.seen(part="mount="), "asked to mount")


@case("a blob that the registry only thought it had is sent after all (H173, H175)")
def _():
    for lie in ("HEAD", "POST"):
        r = registry()
        img = image()
        def hook(q):
            if lie == "HEAD" and q.method == "HEAD":
                return q.answer(200)
            if lie == "POST" and "mount=" in q.url and not r.seen("PUT", "/manifests/"):
                return q.answer(201)
        r.hook = hook
        push(f"{r.name}/a/b:1", img, f"{r.name}/base/x").ok()
        arrived(r, img)
        equal(len(r.seen("PUT", "/manifests/")), 2, "PUTs of the manifest")


@case("a HEAD that leads elsewhere is an answer where that has the blob (H175)")
def _():
    img = image()
    for status, sent in ((200, 0), (403, 3), (404, 3)):
        r, store = registry(basic=("user", "s3cret")), registry("127.0.0.2")
        login_for(r, store)
        store.hook = lambda q: q.answer(status)
        r.hook = lambda q: (q.method == "HEAD" and "/blobs/" in q.url and not r.challenge(q) and
                            q.answer(307, headers={"Location": store.url + "/x?X-Amz-Signature=s3cret"}))
        for b in img.layers + [img.config]:
            r.blobs[digest(b)] = b
        push(f"{r.name}/a/b:1", img).ok()
        equal((len(r.seen("PUT", "/uploads/")), {q.authorization for q in store.log}), (sent, {None}))


@case("a HEAD that is refused is no answer: the upload decides (H161, H175)")
def _():
    for status in (401, 403, 405, 500):
        r = registry()
        img = image()
        r.hook = lambda q: q.method == "HEAD" and "/blobs/" in q.url and q.answer(status)
        push(f"{r.name}/a/b:1", img, CLIENT_ATTEMPTS=2).ok()
        arrived(r, img)


@case("a tag that cannot be moved is fine when it is ours already (H177, H178)")
def _():
    r = registry()
    mine, other = image(), image(b"other")
    r.add("a/b", "1", mine)
    r.hook = lambda q: q.method == "PUT" and "/manifests/1" in q.url and q.error(400, "TAG_INVALID", "")
    push(f"{r.name}/a/b:1", mine).ok()
    push(f"{r.name}/a/b:1", other).fails("TAG_INVALID")
    equal(r.manifests["a/b", "1"][1], mine.manifest)


@case("a web page is no receipt, whatever its status (H197)")
def _():
    page = b"<!DOCTYPE html><html>Sign in to the hotel's network</html>"
    for but in ((), ("HEAD",), ("HEAD", "POST"), ("HEAD", "POST", "PUT")):
        r = registry()
        r.hook = lambda q: (q.method not in but or "/manifests/" in q.url) and q.answer(
            200, page, {"Content-Type": "text/html"})
        push(f"{r.name}/a/b:1", image()).fails("does not say where" if "POST" not in but else "is this a registry?")
        equal(r.manifests, {})


@case("a registry that calls all that it says text/html is one")
def _():
    r = registry(basic=("user", "s3cret"))
    html = {"Content-Type": "text/html; charset=utf-8"}
    def quay(q):
        if r.challenge(q):
            return q.answer(401, b"true", {**html, "WWW-Authenticate": 'Basic realm="x"'})
        if q.path == "/v2/":
            return q.answer(200, b"true", html)
        if q.method == "HEAD" and q.path.rpartition("/")[2] in r.blobs:
            return q.answer(200, headers={**html, "Docker-Content-Digest": q.path.rpartition("/")[2]})
        if q.method == "PUT" and "/manifests/" in q.url:
            r.add_document("a/b", q.path.rpartition("/")[2], q.read(), MANIFEST)
            return q.answer(202, b"OK", html)
    r.hook = quay
    client("login", r.name, "user", "s3cret").ok()
    img = image()
    push(f"{r.name}/a/b:1", img).ok()
    arrived(r, img)
    push(f"{r.name}/a/b:2", img).ok()
    equal(len(r.seen("PUT", "/uploads/")), 3, "uploads")


@case("a registry that keeps another manifest than was sent is told; one that says odd things is not")
def _():
    for said, good in ((digest(b"other"), False), ("sha512:x", True), ("", True), ("sha256:x", True)):
        r = registry()
        img = image()
        r.hook = lambda q: q.method == "PUT" and "/manifests/" in q.url and q.answer(
            201, headers={"Docker-Content-Digest": said})
        result = push(f"{r.name}/a/b:1", img)
        result.ok() if good else result.fails(f"{r.name}/a/b:1: the registry keeps other bytes", said)


@case("a repository that must be created first is named (H179)")
def _():
    r = registry()
    r.hook = lambda q: q.method == "POST" and q.error(404, "NAME_UNKNOWN", "The repository does not exist")
    push(f"{r.name}/a/b:1", image()).fails("the repository a/b may have to be created first", "NAME_UNKNOWN")


@case("a registry that is gone for a while is waited for (H192)")
def _():
    r = registry()
    img = image(b"x" * 100000, b"y", b"z")
    bad = first(1, "/uploads/", method="PUT")
    def restart(q):
        if bad(q):
            # From the thread of a request, which the server does not wait for.
            threading.Thread(target=r.close).start()
            threading.Timer(1.5, r.open).start()
            q.handler.close_connection = True  # the body that is not read is no next request
            return True
    r.hook = restart
    push(f"{r.name}/a/b:1", img, CLIENT_PAUSE_MS=30).ok()
    arrived(r, img)


@case("a manifest that fails for a moment is put again (H162)")
def _():
    r = registry()
    img = image()
    bad = first(2, "/manifests/", method="PUT")
    r.hook = lambda q: bad(q) and q.error(502, "UNAVAILABLE")
    push(f"{r.name}/a/b:1", img).ok()
    arrived(r, img)


@case("few descriptors are enough (H193)")
def _():
    r = registry()
    img = image(*(bytes([n]) * 100000 for n in range(60)))
    push(f"{r.name}/a/b:1", img, limit=64).ok()
    arrived(r, img)
    pull(f"{r.name}/a/b:1", limit=64).ok()


@case("an image without a tag is put under its digest")
def _():
    r = registry()
    img = image()
    push(f"{r.name}/a/b@{img.digest}", img).ok()
    arrived(r, img, tag=img.digest)
    check(("a/b", "latest") not in r.manifests, "it has a tag")


@case("a push that ends at any request leaves a tag whose blobs are there (H176)")
def _():
    old, new = image(b"old"), image(b"new", b"newer")
    for n in range(1, 15):
        r = registry()
        r.add("a/b", "1", old)
        count = iter(range(1, 1 << 30))
        r.hook = lambda q: next(count) >= n and q.reset()
        result = push(f"{r.name}/a/b:1", new, CLIENT_ATTEMPTS=1)
        r.hook = None
        pull(f"{r.name}/a/b:1").ok()
        equal(stored()[-1] in map(digest, new.layers), result.status == 0, f"new after {n} requests")
        for f in place().glob("store/blobs/sha256/*"):
            f.unlink()
    result.ok()


@case("a push that fails in the middle leaves the tag as it was (H176)")
def _():
    r = registry()
    old, new = image(b"old"), image(b"new")
    r.add("a/b", "1", old)
    r.hook = lambda q: q.method == "PUT" and "/uploads/" in q.url and q.error(403, "DENIED")
    push(f"{r.name}/a/b:1", new).fails("403")
    equal(r.manifests["a/b", "1"][1], old.manifest)
    equal(r.seen("PUT", "/manifests/"), [])


@case("a file that became shorter is not sent as if it had not")
def _():
    r = registry()
    img = image()
    folder = place() / "image"
    push(f"{r.name}/a/c:1", img).ok()
    r.blobs.clear()
    with open(folder / digest(img.layers[1])[7:], "r+b") as f:
        f.truncate(10)
    (folder / "manifest.json").write_bytes(img.manifest)
    client("push", f"{r.name}/a/b:1", folder).fails("has become shorter")
    check(digest(img.layers[1]) not in r.blobs and ("a/b", "1") not in r.manifests, "it arrived")
