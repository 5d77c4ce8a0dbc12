"""Layers that leave while they are compressed: `cairn push` of what it has built."""
from suite import *

CAIRN = os.environ["CAIRN"]


def cairn(*arguments, store="cairn"):
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    env.update(HOME=str(place()), DOCKER_CONFIG=str(place()), CAIRN_ROOT=str(place() / store))
    p = subprocess.run([CAIRN, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, env=env, timeout=60)
    return Result(p.returncode, p.stdout.decode(errors="backslashreplace"), 0)


def build(name, **more):
    """An image with a layer of 12 MB, one that leaves while it is compressed."""
    context = place() / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY large small /\n")
    if not (context / "large").exists():
        (context / "large").write_bytes(base64.encodebytes(os.urandom(9 << 20)))
    (context / "small").write_text("small\n")
    cairn("build", "-t", name, context, **more).ok()


def arrived(r):
    """The one layer, whole."""
    document = json.loads(r.manifests["a/b", "1"][1])
    layer, = document["layers"]
    equal(digest(r.blobs[layer["digest"]]), layer["digest"])
    equal(len(r.blobs[layer["digest"]]), layer["size"])
    return layer["digest"]


@case("a large layer leaves while it is compressed, once")
def _():
    r = registry()
    build(f"{r.name}/a/b:1")
    cairn("push", f"{r.name}/a/b:1").ok().says("Pushed")
    layer = arrived(r)
    patch, = r.seen("PATCH")
    equal((patch.headers.get("Transfer-Encoding"), patch.headers.get("Content-Length")), ("chunked", None))
    put, = [q for q in r.seen("PUT", "/blobs/") if layer.replace(":", "%3A") in q.url]
    equal(put.headers.get("Content-Length"), "0")
    r.log.clear()
    cairn("push", f"{r.name}/a/b:1").ok().says("Layer already exists")
    equal(r.seen("PATCH") + r.seen("PUT", "/blobs/"), [], "sent again")


@case("a token is asked for before it leaves, and once more when that is not enough")
def _():
    r = registry(bearer=Tokens(user="user", password="s3cret", uses=2))
    login_for(r)
    build(f"{r.name}/a/b:1")
    cairn("push", f"{r.name}/a/b:1").ok()
    arrived(r)


@case("who does not take a body without a length gets it with one")
def _():
    def breaks(q):
        q.handler.rfile.read(200000)
        return q.reset()
    def lies(q):
        q.read()
        return q.answer(202, headers={"Location": "/v2/a/b/blobs/uploads/forgotten"})
    for answer in (lambda q: q.error(411, "SIZE_INVALID"), lambda q: q.error(405, "UNSUPPORTED"),
                   lambda q: q.error(400, "BLOB_UPLOAD_INVALID"), lambda q: q.error(503, "UNAVAILABLE"), breaks, lies):
        r = registry()
        r.hook = lambda q: q.method == "PATCH" and answer(q)
        build(f"{r.name}/a/b:1")
        cairn("push", f"{r.name}/a/b:1").ok()
        arrived(r)


@case("what the registry has already need not arrive again")
def _():
    r = registry()
    build(f"{r.name}/a/b:1")
    cairn("push", f"{r.name}/a/b:1").ok()
    layer = arrived(r)
    build(f"{r.name}/a/b:1", store="another")
    cairn("push", f"{r.name}/a/b:1", store="another").ok()
    equal(arrived(r), layer)


@case("a layer that turns out to be damaged is no blob there")
def _():
    r = registry()
    build(f"{r.name}/a/b:1")
    largest = max((place() / "cairn/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    largest.chmod(0o600)
    with open(largest, "r+b") as f:
        f.seek(7 << 20)
        f.write(b"damaged")
    cairn("push", f"{r.name}/a/b:1").fails("damaged")
    equal([d for d, b in r.blobs.items() if len(b) > 100000], [])
    equal(r.manifests, {})
