"""Documents of images that lie, contradict themselves or grow without an end: as bases and as loaded."""
from suite import *

GOOD = tar(entry("f", b"1"))
MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"


def loads(folder):
    accepted("load", "-q", "-i", folder)
    equal(image_tree_of(folder), {"f": F("1")}, "the image")


def image_refused(because, folder):
    names = image_names()
    refused(because, "build", "-q", "-",
            stdin=f"FROM oci-layout://{folder} AS a\nFROM scratch\nCOPY --from=a /f /g\n".encode())
    packed = subprocess.run(["tar", "-cf", "-", "-C", folder, "."], check=True, capture_output=True).stdout
    refused(because, "load", "-q", times=1, stdin=packed)
    equal(image_names(), names, "images")


def rewrite(folder, document, text):
    """The blob that DOCUMENT describes gets TEXT, and DOCUMENT says so."""
    document |= {"digest": put(folder, text), "size": len(text)}
    return document


def changed(config=None, manifest=None, index=None):
    """A good image after CONFIG, MANIFEST and INDEX, functions from text to text, had their way."""
    folder = layout(GOOD)
    read = lambda d: (folder / "blobs/sha256" / d["digest"].split(":")[1]).read_bytes()
    top = json.loads((folder / "index.json").read_text())
    entry_ = top["manifests"][0]
    document = json.loads(read(entry_))
    if config:
        rewrite(folder, document["config"], config(read(document["config"])))
    text = json.dumps(document).encode()
    rewrite(folder, entry_, manifest(text) if manifest else text)
    text = json.dumps(top).encode()
    (folder / "index.json").write_bytes(index(text) if index else text)
    return folder


@case("H128 H129 H130 H301")
def sizes_and_digests_that_lie():
    blob = gzip.compress(GOOD, mtime=0)
    loads(layout(GOOD))
    for size in (len(blob) - 1, len(blob) + 1, 0, 1 << 40):
        image_refused("is not what its digest says|bytes", layout(Layer(GOOD, size=size)))
    # Where numbers end, also as a sum.
    for size in ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + len(blob), (1 << 63) - 512, (1 << 63) - 1):
        image_refused("is not what its digest says|bytes|too large", layout(Layer(GOOD, size=size), Layer(tar(entry("g")), size=size)))
    image_refused("is not what its digest says", layout(Layer(GOOD, digest_=digest(b"other"))))
    image_refused("tar is not its diff_id", layout(Layer(GOOD, diff=digest(b"other"))))
    # Another image's diff_id does not make this blob that layer, neither the first time nor later.
    other = tar(entry("f", b"evil"))
    for _ in range(2):
        image_refused("tar is not its diff_id", layout(Layer(other, diff=digest(GOOD))))
        image_refused("tar is not its diff_id|its bytes are", layout(plain(other, diff=digest(GOOD))))
    folder = layout(GOOD)
    for file in list((folder / "blobs/sha256").iterdir()):
        kept = file.read_bytes()
        file.write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
        subprocess.run(["rm", "-rf", work / "store"], check=True)
        image_refused("is not what its digest says", folder)
        file.write_bytes(kept[:-1])
        image_refused("is not what its digest says", folder)
        file.write_bytes(b"")
        image_refused("is not what its digest says", folder)
        file.unlink()
        refused("blobs/sha256/", "load", "-q", "-i", folder)
        file.write_bytes(kept)
    loads(folder)


@case("H131 H132 H133 H300")
def documents_that_are_no_json():
    twice = lambda key: lambda text: text.replace(b'"%s":' % key, b'"%s": "x", "%s":' % (key, key), 1)
    for key in (b"digest", b"mediaType"):
        image_refused("", changed(manifest=twice(key)))
        image_refused("", changed(index=twice(key)))
    image_refused("", changed(config=twice(b"os")))
    for how in (dict(config=lambda t: t + b"x"), dict(manifest=lambda t: b"\xef\xbb\xbf" + t),
                dict(manifest=lambda t: b"[" * 1000000), dict(config=lambda t: b'{"a":' * 100000),
                dict(index=lambda t: b"[" * 1000000), dict(manifest=lambda t: t.replace(b"2", b"NaN", 1)),
                dict(manifest=lambda t: t[:-1]), dict(config=lambda t: b"null"), dict(config=lambda t: b"{}"),
                dict(manifest=lambda t: b"{}"), dict(index=lambda t: b"{}"), dict(index=lambda t: b""),
                dict(config=lambda t: t.replace(b"linux", b"\\ud800")), dict(manifest=lambda t: b"//\n" + t),
                dict(config=lambda t: t.replace(b'"config": {}', b'"config": {"User": "a\\u0000b"}')),
                dict(manifest=lambda t: t + b" " * (5 << 20)), dict(config=lambda t: t + b" " * (9 << 20))):
        image_refused("", changed(**how))
    size = re.compile(rb'("size": )(\d+)')
    for number in (b"1e3", b"1.5", b"-1", b"9223372036854775808", b'"10"', b"null", b"99999999999999999999"):
        image_refused("", changed(manifest=lambda t: size.sub(rb"\g<1>" + number, t)))
        image_refused("", changed(index=lambda t: size.sub(rb"\g<1>" + number, t)))


@case("H032 H142 H145 H146")
def configs_of_other_shapes():
    def config(**fields):
        return changed(config=lambda t: json.dumps({**json.loads(t), **fields}).encode())
    for fields in ({"rootfs": None}, {"rootfs": {"type": "layers"}}, {"rootfs": {"type": "layers", "diff_ids": []}},
                   {"rootfs": {"type": "layers", "diff_ids": [digest(GOOD)] * 2}},
                   {"rootfs": {"type": "layers", "diff_ids": ["sha256:../../x"]}},
                   {"history": [{}, {}, {}]}, {"config": {"Env": [None]}}, {"config": {"Env": "A=b"}},
                   {"config": {"Cmd": "sh"}}, {"config": {"Cmd": [1]}}, {"config": {"Labels": {"a": 1}}},
                   {"config": {"Volumes": []}}, {"config": []}, {"created": "yesterday"}, {"created": ""},
                   {"created": "2024-01-01T00:00:00 CET"}, {"created": "2024-13-01T00:00:00Z"}):
        image_refused("", config(**fields))
    for fields in ({"config": None}, {"history": []}, {"history": None}, {"created": "0001-01-01T00:00:00Z"},
                   {"created": None}, {"created": "9999-12-31T23:59:59Z"}, {"created": "2024-01-01T00:00:00.123456789+02:00"},
                   {"config": {"Env": ["A", "=x", "B=c=d", "B=e"]}}, {"future": {"x": [1]}},
                   {"config": {"Volumes": {"/../../etc": {}, "..": {}}}}):
        loads(config(**fields))
    folder = config(config={"Env": ["A=1", "N=a\nb", "B=c=d", "A=2"]})
    name = accepted("build", "-q", "-", stdin=f"FROM oci-layout://{folder}\nENV B=$B=e\n".encode()).out.decode().strip()
    env = json.loads(accepted("inspect", name).out)[0]["Config"]["Env"]
    equal([e for e in env if not e.startswith("PATH=")], ["A=2", "N=a\nb", "B=c=d=e"], "the last of each")
    folder = config(config={"WorkingDir": os.fsdecode(b"/../../.." + canary), "User": "0"})
    accepted("build", "-q", "-o", "-", "-", stdin=f"FROM oci-layout://{folder}\nWORKDIR x\n".encode())


@case("H297")
def triggers_that_no_dockerfile_has():
    def build(trigger):
        folder = layout(GOOD, config={"config": {"OnBuild": trigger}})
        return ("build", "-q", "-"), f"FROM oci-layout://{folder} AS me\nENV Z=1\n".encode()
    for trigger, because in ((["ONBUILD RUN x"], "isn't allowed|aren't allowed"), (["onbuild ONBUILD ENV A=1"], "isn't allowed"),
                             (["FROM x"], "aren't allowed"), (["MAINTAINER x"], "aren't allowed"), (["FROM"], "FROM requires"),
                             ([""], "empty"), (["# text"], "no instructions"), (["RUN <<E"], "unterminated heredoc"),
                             ([None], "not an array of strings"), ("RUN x", "not an array of strings"),
                             (["COPY --from=me / /"], "cannot copy from stage \"me\""),
                             (["COPY --from=0 / /"], "cannot copy from stage \"0\""), (["\0ENV A=1"], "u0000"),
                             (["ENV A=" + "x" * 70000], "ONBUILD ENV A=x"),
                             (["ENV A=1\nERROR: ENV B=2"], "ONBUILD ENV A=1: unknown instruction")):
        arguments, dockerfile = build(trigger)
        refused(because, *arguments, stdin=dockerfile)
    arguments, dockerfile = build(["ENV A=$A:x"] * 1000)
    accepted(*arguments, stdin=dockerfile)


@case("H040 H042 H138 H139 H140 H137 H039")
def descriptors_of_other_shapes():
    def layers(**fields):
        return changed(manifest=lambda t: json.dumps(
            (lambda d: {**d, "layers": [{**d["layers"][0], **fields}]})(json.loads(t))).encode())
    hex_ = "a" * 64
    for bad in ("sha256:../../x", f"sha256:{hex_}a", f"sha256:{hex_[:63]}", f"sha256:{hex_.upper()}", f"md5:{hex_[:32]}",
                f"sha512:{hex_ * 2}", f"sha256:{hex_[:60]}\0aaa", "", "sha256:", "x" * (1 << 20), "../../etc/passwd"):
        image_refused("", layers(digest=bad))
    for type in (OCI + "layer.v1.tar+xz", OCI + "layer.v1.tar+gzip+encrypted", "text/plain", "",
                 "application/vnd.cncf.helm.chart.content.v1.tar+gzip"):
        image_refused("media type|mediaType|type", layers(mediaType=type))
    image_refused("", changed(manifest=lambda t: t.replace(b'"layers"', b'"manifests": [], "layers"')))
    image_refused("", changed(manifest=lambda t: t.replace(b"manifest.v1", b"index.v1")))
    image_refused("", changed(manifest=lambda t: t.replace(b'"schemaVersion": 2', b'"schemaVersion": 1')))
    image_refused("", changed(index=lambda t: t.replace(b"manifest.v1", b"index.v1")))
    # What a registry may lend from elsewhere is not asked for, and the bytes are those of the blob.
    loads(layers(urls=["http://169.254.169.254/x", "file:///etc/passwd"]))
    for data in ("bm90IGl0", "", "!", 7, None):
        loads(layers(data=data))


@case("H148")
def more_annotations_and_labels_than_anybody_has():
    many = {f"k{i}": "v" for i in range(100000)}
    annotated = dict(manifest=lambda t: json.dumps({**json.loads(t), "annotations": many}).encode())
    labelled = dict(config=lambda t: json.dumps({**json.loads(t), "config": {"Labels": many}}).encode())
    for how in (annotated, labelled):
        folder = changed(**how)
        loads(folder)
        dockerfile = f"FROM oci-layout://{folder}\nLABEL k5=w more=1\n".encode()
        name = accepted("build", "-q", "-", stdin=dockerfile).out.decode().strip()
        found = json.loads(accepted("inspect", name).out)[0]["Config"]["Labels"]
        equal(found, {**(many if how is labelled else {}), "k5": "w", "more": "1"}, "labels")
    for what in ({"annotations": {"a": 1}}, {"annotations": []}, {"annotations": {"a": None}}):
        loads(changed(manifest=lambda t: json.dumps({**json.loads(t), **what}).encode()))


@case("H134 H135 H136")
def indexes_of_indexes():
    folder = layout(GOOD)
    entry_ = json.loads((folder / "index.json").read_text())["manifests"][0]

    def wrap(*entries):
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        return {"mediaType": INDEX, "digest": put(folder, text), "size": len(text)}

    def top(*entries):
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        return folder
    platform = lambda **p: {**entry_, "platform": {"os": "linux", "architecture": "amd64", **p}}
    unknown = {**entry_, "platform": {"os": "unknown", "architecture": "unknown"}}
    loads(top(wrap(unknown, platform(architecture="arm64"), platform())))
    loads(top(wrap(wrap(platform()))))
    deep = entry_
    for _ in range(20):
        deep = wrap(deep)
    image_refused("indexes inside indexes", top(deep))
    image_refused("no image for platform|no image", top(wrap(platform(architecture="s390x"))))
    image_refused("no image", top(wrap(unknown)))
    image_refused("no image", top(wrap()))
    loads(top(wrap(*[platform()] * 5000)))


@case("H147 H042")
def layouts_that_are_none():
    for damage in (lambda f: (f / "oci-layout").unlink(), lambda f: (f / "index.json").unlink(),
                   lambda f: shutil.rmtree(f / "blobs"), lambda f: (f / "index.json").write_text("{"),
                   lambda f: ((f / "index.json").unlink(), os.symlink(canary + b"/f", f / "index.json")),
                   lambda f: ((f / "index.json").unlink(), os.mkfifo(f / "index.json")),
                   lambda f: ((f / "oci-layout").unlink(), (f / "oci-layout").mkdir())):
        folder = layout(tar(entry("f", os.urandom(9))))
        damage(folder)
        refused("", "load", "-q", "-i", folder, times=1)
        refused("", "build", "-q", "-", stdin=f"FROM oci-layout://{folder} AS a\nFROM scratch\nCOPY --from=a /f /g\n".encode())
    for make in (os.mkdir, os.mkfifo, lambda p: os.symlink(canary + b"/f", p), lambda p: os.symlink(p, p)):
        fresh = tar(entry("f", os.urandom(9)))
        folder = layout(fresh)
        file = folder / "blobs/sha256" / digest(gzip.compress(fresh, 1, mtime=0))[7:]
        file.unlink()
        make(file)
        refused("blobs/sha256/|is not a regular", "load", "-q", "-i", folder)
    # In a tar, names and links stay names of the tar.
    for part in (link_to(canary), entry("../../canary/f", b"evil"), entry("/canary/f", b"evil"),
                 hardlink("blobs/sha256/" + "a" * 64, "../../../canary/f")):
        folder = layout(tar(entry("f", os.urandom(9))))
        packed = subprocess.run(["tar", "-cf", "-", "-C", folder, "."], check=True, capture_output=True).stdout
        accepted("load", "-q", stdin=part + packed)
    for name in ("../../../x", "a b", "-x", "x" * 300, "docker.io/UPPER:tag"):
        refused("", "load", "-q", "-i",
                layout(GOOD, descriptor={"annotations": {"io.containerd.image.name": name}}))


def link_to(target):
    return pax(("linkpath", target)) + symlink("blobs/sha256/" + "b" * 64, "")


@case("H144 H143")
def what_is_only_passed_on_keeps_its_bytes():
    folder = layout(GOOD, config={"future": {"x": [1.0, "\u00e9/<>&"]}})
    top = json.loads((folder / "index.json").read_text())
    entry_ = top["manifests"][0]
    text = json.loads((folder / "blobs/sha256" / entry_["digest"][7:]).read_text())
    odd = json.dumps({**text, "annotations": {"x": "\u00e9/<>&"}, "future": [1.0]}, indent=7).replace("/", "\\/").encode()
    entry_ |= {"digest": put(folder, odd), "size": len(odd),
               "annotations": {"io.containerd.image.name": "docker.io/library/odd:1"}}
    (folder / "index.json").write_text(json.dumps(top))
    accepted("load", "-q", "-i", folder)
    saved = tarfile.open(fileobj=io.BytesIO(accepted("save", "odd:1").out))
    read = lambda name: saved.extractfile(name).read()
    equal(json.loads(read("index.json"))["manifests"][0]["digest"], digest(odd), "the manifest")
    equal(read("blobs/sha256/" + digest(odd)[7:]), odd, "its bytes")
    equal(digest(read("blobs/sha256/" + text["config"]["digest"][7:])), text["config"]["digest"], "the config")
    accepted("rmi", "odd:1")
