"""What a whole build asks of registries: with the program itself."""
import gzip, io, shutil, tarfile
from suite import *


def with_file(content, levels=(9,), shell=False):
    """An image that can be unpacked, with the file f, and with SHELL one that a RUN can use: in as many equal
    layers as there are LEVELS of gzip."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        f = tarfile.TarInfo("f")
        f.size = len(content)
        t.addfile(f, io.BytesIO(content))
        if shell:
            t.add(shutil.which("busybox"), "bin/busybox")
            for name in ("sh", "cat", "sleep", "wget"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                t.addfile(link)
    return Image([gzip.compress(out.getvalue(), l, mtime=0) for l in levels], config={
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(out.getvalue())] * len(levels)}})


def cairn(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    env.update(HOME=str(place()), DOCKER_CONFIG=str(place()), CAIRN_ROOT=str(place() / "store"), **environment)
    p = subprocess.run([os.environ["CAIRN"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                       capture_output=True, env=env, timeout=60)
    return Result(p.returncode, p.stderr.decode(errors="backslashreplace"), 0), p.stdout


def context(dockerfile):
    folder = place() / "context"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def files(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as t:
        return {m.name: t.extractfile(m).read() for m in t if m.isfile()}


def files_named(tar, *names):
    found = files(tar)
    return [found.get(n) for n in names]


@case("a tag that moves all the time is one image in a build, and asked for by HEAD first (H201, H183)")
def _():
    r = registry()
    images = [with_file(b"0"), with_file(b"1")]
    for n, img in enumerate(images):
        r.add("a/b", f"x{n}", img)
    count = iter(range(1 << 30))
    def hook(q):
        if q.path.endswith("/manifests/1"):
            img = images[next(count) % 2]
            return q.answer(200, img.manifest, {"Content-Type": MANIFEST, "Docker-Content-Digest": img.digest})
    r.hook = hook
    folder = context(f"FROM {r.name}/a/b:1 AS one\nFROM {r.name}/a/b:1\nCOPY --from=one /f /one\n"
                     f"COPY --from={r.name}/a/b:1 /f /two\n")
    for asked in (["GET"], ["HEAD", "GET"], ["HEAD", "GET"]):
        r.log.clear()
        result, out = cairn("build", "-o", "type=tar,dest=-", folder)
        result.ok()
        equal(len(set(files(out).values())), 1, "images in it")
        equal([q.method for q in r.seen(part="/manifests/1")], asked, "requests for the tag")
    r.hook = None
    r.add("a/b", "1", images[0])
    cairn("build", "-q", folder)[0].ok()
    r.log.clear()
    cairn("build", "-q", folder)[0].ok()
    equal([q.method for q in r.log], ["HEAD"], "requests of a build with nothing new")


@case("whether a tag has moved is asked under whatever scheme and with whatever password the registry wants")
def _():
    for r in registry(tls=tls()), registry(basic=("user", "s3cret")):
        trust(r)
        login_for(r)
        old, new = with_file(b"old"), with_file(b"new")
        r.add("a/b", "1", old)
        folder = context(f"FROM {r.name}/a/b:1\nCOPY Dockerfile /x\n")
        cairn("build", "-q", folder)[0].ok()
        r.log.clear()
        result, _ = cairn("build", folder)
        check("known earlier" not in result.ok().text, result.text)
        check("GET" not in [q.method for q in r.seen(part="/manifests/")], "it is asked for as a whole")
        r.add("a/b", "1", new)
        cairn("build", folder)[0].ok().says("a/b:1 names another image now")


def moves(r, old, new, until):
    """a/b:1 names OLD; who asks for it again is told, as soon as UNTIL is set, that it names NEW."""
    r.add("a/b", "1", old)
    asked = threading.Event()

    def hook(q):
        if q.path == "/started":
            until.set()
            return q.answer(200, b"yes")
        if q.method == "HEAD" and q.path.endswith("/manifests/1"):
            asked.set()
            until.wait(20)
            r.add("a/b", "1", new)
    r.hook = hook
    return asked


@case("a step that began on a base whose tag has moved is ended, and what it did is nowhere")
def _():
    for then in ("cat; exit 3", "sleep 1000"):
        r = registry()
        old, new = with_file(b"old", shell=True), with_file(b"new", shell=True)
        r.add("a/b", "1", old)
        cairn("build", "-q", context(f"FROM {r.name}/a/b:1\nCOPY --from={r.name}/a/b:1 /f /f\n"))[0].ok()
        moves(r, old, new, threading.Event())
        result, out = cairn("build", "--network=host", "-o", "type=tar,dest=-", "--on-fail=keep", context(
            f"FROM {r.name}/a/b:1\nRUN wget -qO- http://{r.name}/started >/told; cat /f >/g; [ $(cat /f) = new ] || "
            f"{{ {then}; }}\nCOPY Dockerfile /x\n"))
        result.ok().says("a/b:1 names another image now")
        check("is kept" not in result.text, result.text)
        equal(files_named(out, "g", "f"), [b"new", b"new"], "the image's files")


@case("a step with a cache mount waits for the registry's word about its base")
def _():
    r = registry()
    old, new = with_file(b"old", shell=True), with_file(b"new", shell=True)
    r.add("a/b", "1", old)
    cairn("build", "-q", context(f"FROM {r.name}/a/b:1\nCOPY --from={r.name}/a/b:1 /f /f\n"))[0].ok()
    told = threading.Event()
    asked = moves(r, old, new, told)
    threading.Thread(target=lambda: (asked.wait(20), told.wait(0.5), told.set()), daemon=True).start()
    result, out = cairn("build", "-o", "type=tar,dest=-", context(
        f"FROM {r.name}/a/b:1\nRUN --mount=type=cache,target=/c cat /f >>/c/seen; cat /c/seen >/seen\n"))
    result.ok().says("a/b:1 names another image now")
    equal(files_named(out, "seen"), [b"new"], "what was run")


@case("the keys of connections go to no file that the environment names (H310)")
def _():
    r = registry(tls=tls())
    trust(r)
    r.add("a/b", "1", with_file(b"1"))
    cairn("pull", f"{r.name}/a/b:1", SSLKEYLOGFILE=str(place() / "keys"))[0].ok()
    check(not (place() / "keys").exists(), "they do")


@case("an index that promises another platform than its image has is told (H136)")
def _():
    r = registry()
    img = with_file(b"1")
    r.add("a/b", "x", img)
    r.add_document("a/b", "1", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [describe(
        img.manifest, MANIFEST, platform={"os": "linux", "architecture": "arm64"})]}).encode(), INDEX)
    result, _ = cairn("build", "--platform=linux/arm64", context(f"FROM {r.name}/a/b:1\nCOPY Dockerfile /x\n"))
    result.ok().says('was pulled with platform "linux/amd64", expected "linux/arm64"')


@case("a build whose push fails keeps its image; the next push sends what is missing (H192)")
def _():
    r = registry()
    r.hook = lambda q: q.method == "PUT" and "/manifests/" in q.url and q.error(403, "DENIED", "not now")
    result, _ = cairn("build", "--push", "-t", f"{r.name}/a/b:1", context("FROM scratch\nCOPY Dockerfile /x\n"))
    result.fails("failed to push", "403 Forbidden: DENIED: not now")
    equal(len(r.seen("PUT", "/uploads/")), 2, "uploads")
    r.hook = None
    r.log.clear()
    cairn("push", f"{r.name}/a/b:1")[0].ok()
    equal([q.path for q in r.seen("PUT")], ["/v2/a/b/manifests/1"], "what was sent")


@case("one tar in two packings is two blobs, and both are pushed (H141)")
def _():
    a, b = registry(), registry()
    img = with_file(b"1" * 5000, levels=(9, 1, 9))
    equal(len({digest(l) for l in img.layers}), 2, "packings")
    a.add("a/b", "1", img)
    cairn("build", "-q", "--push", "-t", f"{b.name}/c/d:1",
          context(f"FROM {a.name}/a/b:1\nCOPY Dockerfile /x\n"))[0].ok()
    manifest = json.loads(b.manifests["c/d", "1"][1])
    equal([l["digest"] for l in manifest["layers"]][:3], [digest(l) for l in img.layers], "layers")
    for l in manifest["layers"] + [manifest["config"]]:
        equal(digest(b.blobs[l["digest"]]), l["digest"], "a blob")
