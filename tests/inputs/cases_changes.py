"""What steps make of files: layers as they leave, bombs on small disks, the store's own modes."""
import random
from suite import *

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def outcome(dockerfile, *parts, **how):
    """The layers of what DOCKERFILE makes on a shell, as tars; those of the base are left out."""
    folder = context(f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}{dockerfile}", *parts)
    image = work / "outcome"
    shutil.rmtree(image, ignore_errors=True)
    image.mkdir()
    accepted("build", "-q", "-o", f"type=oci,dest={image / 'image.tar'},compression=uncompressed", folder, **how)
    archive = tarfile.open(image / "image.tar")
    blob = lambda name: archive.extractfile("blobs/sha256/" + name.split(":")[1]).read()
    index = json.load(archive.extractfile("index.json"))
    manifest = json.loads(blob(index["manifests"][0]["digest"]))
    return [blob(l["digest"]) for l in manifest["layers"]][1:]


@case("H094 H095 H104")
def names_that_would_delete():
    for command in ("busybox touch /.wh.x", "busybox mkdir /d && busybox touch /d/.wh..wh..opq", "busybox mkdir /.wh.d",
                    "busybox ln -s x /.wh.l"):
        refused("a name that begins with .wh.", "build", "-q", "-",
                stdin=f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}RUN {command}\n".encode())
    for name in (".wh.x", ".wh..wh..opq", ".wh."):
        for source in ("/", "x"):
            folder = context(f"FROM scratch\nCOPY . /\nCOPY {source} /y/\n", directory("x"), entry("x/" + name))
            refused("a name that begins with .wh.", "build", "-q", folder)
    # A device that overlayfs takes for a whiteout is one: it hides nothing else.
    layers = outcome("RUN echo 1 >/f\nRUN busybox mknod /x c 0 0 || true; busybox mknod /n c 1 3; busybox chmod 700 /.t\n")
    names = [n for l in layers for n in tarfile.open(fileobj=io.BytesIO(l)).getnames()]
    check("f" in names and "x" not in names and b"overlay" not in b"".join(layers), f"it has {names}")


@case("H073 H074 H107 H098 H123 H125")
def what_a_copy_keeps():
    base = layout(tar(pax(("SCHILY.xattr.security.capability", CAPABILITY), ("SCHILY.xattr.user.a", "b"),
                          ("SCHILY.xattr.trusted.overlay.opaque", "y")), entry("caps", b"1", mode=0o755)))
    folder = context(f"FROM oci-layout://{base} AS base\nFROM scratch\n"
                     "COPY --chmod=4755 --chown=7:8 s /s\nCOPY s twin pipe /d/\nCOPY --from=base caps /d/\n",
                     entry("s", b"1"), header("pipe", type=b"6", mode=0o644))
    os.link(folder / "s", folder / "twin")
    data = accepted("build", "-q", "-o", "-", folder).out
    found = entries_of(data)
    equal(found["s"], F("1", 0o4755, 7, 8), "mode and owner")
    equal(found["d/caps"][:5], F("1", 0o755), "a program")
    equal(sorted(found["d/caps"][5]), ["security.capability", "user.a"], "attributes")
    equal((found["d/s"], found["d/twin"], found["d/pipe"][0]), (F("1"), F("1"), "fifo"), "others")
    check(b"LIBARCHIVE" not in data and b"overlay" not in data and b"SCHILY.xattr.security.capability" in data, "pax")
    layers = outcome("COPY caps /bin/caps\nRUN test -x /bin/caps && echo >>/log\nRUN busybox mkdir /h; echo 1 >/h/c; "
                     "busybox ln /h/c /h/a; busybox ln /h/c /h/b; busybox mkfifo /h/p; busybox chown 5 /h/a\n",
                     entry("caps", b"1", mode=0o755))
    kinds = {m.name: (m.type, m.linkname) for m in tarfile.open(fileobj=io.BytesIO(layers[-1]))}
    equal(kinds, {"h": (b"5", ""), "h/a": (b"0", ""), "h/b": (b"1", "h/a"), "h/c": (b"1", "h/a"),
                  "h/p": (b"6", "")}, "names of one file")


@case("H113 H114 H280 H318")
def paths_longer_than_the_kernel_takes():
    half = "/".join(["d" * 99] * 25)
    deep = (f"busybox mkdir -p /long/{half} /more/{half} && echo 1 >/more/{half}/f && "
            f"busybox mv /more /long/{half}/")
    odd = "printf 1 >\"/$(printf 'a\\\\nb\\\\033[31m\\\\377')\"; busybox mkdir -m 2775 /g; busybox mkdir -m 0 /none; printf 2 >/none/f"
    layers = outcome(f"RUN {deep}\nRUN {odd.replace(chr(92) * 2, chr(92))}\nRUN busybox rm -rf /g\n")
    found = {}
    for l in layers:
        found |= entries_of(l)
    path = max(found, key=len)
    check(len(path) > 4900 and found[path] == F("1\n"), f"{path[-20:]} of {len(path)} bytes")
    equal(found["none"], D(0), "a closed folder")
    check(any(b"\x1b[31m\xff" in os.fsencode(n) for n in found), "odd names")
    same([plain(l) for l in layers[:2]], {k: v for k, v in found.items() if not k.split("/")[-1].startswith(".wh.")},
         run=False)


@case("H126 H101 H274")
def holes_take_no_disk():
    with small_disk(64) as store:
        before = room(store)
        dockerfile = f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}RUN busybox truncate -s 300M /lastlog && echo end >>/lastlog\n"
        accepted("build", "-q", "-t", "sparse", "-", stdin=(dockerfile + "RUN test -s /lastlog\n").encode(), store=store)
        accepted("build", "-q", "-", stdin=b"FROM sparse\nCOPY --from=sparse /lastlog /again\n", store=store)
        check(before - room(store) < 16 << 20, f"{before - room(store)} bytes are gone")


@case("H115 H070")
def bombs_do_not_fill_the_disk():
    pattern = bytes(range(1, 256)) * 4096
    large = lambda name: entry(name, pattern * 24, mode=0o644)
    small = tar(entry("f", b"1"))
    bomb = gzip.compress(tar(large("a"), large("b")), 1)
    check(len(bomb) < 2 << 20, "it is none")
    folder = context("FROM scratch\nADD x.tar /\n")
    (folder / "x.tar").write_bytes(bomb)
    base = layout(Layer(tar(large("a"), large("b")), blob=bomb), TOOLS)
    with small_disk(32) as store:
        before = room(store)
        refused("disk is almost full", "build", "-q", folder, store=store)
        refused("disk is almost full", "build", "-q", "-", stdin=bomb, store=store)
        refused("disk is almost full", "build", "-q", "-", store=store,
                stdin=f"FROM oci-layout://{base}\n{SHELL}RUN :\n".encode())
        check(before - room(store) < 8 << 20, f"{before - room(store)} bytes stay")
        as_small = layout(Layer(small))
        accepted("load", "-q", "-i", as_small, store=store)
    with small_disk(64) as store:
        # Files without content take inodes.
        many = gzip.compress(tar(*(entry(f"{i % 100}/{i}") for i in range(60000))), 1)
        subprocess.run(["mount", "-o", "remount,nr_inodes=3000", work / "small"], check=True)
        refused("disk is almost full: it takes", "build", "-q", "-", stdin=many, store=store)
        (folder / "x.tar").write_bytes(many)
        files = lambda: os.statvfs(work / "small").f_favail
        refused("disk is almost full: it takes", "build", "-q", "-", store=store,
                stdin=f"FROM oci-layout://{layout(Layer(gzip.decompress(many), blob=many), TOOLS)}\n{SHELL}RUN :\n".encode())
        check(files() > 2500, f"{files()} files may be made")


@case("H051 H050 H049")
def time_grows_with_the_archive():
    def seconds(layers):
        folder, used = layout(*layers), os.times()
        accepted("build", "-q", "-o", "-", "-", stdin=f"FROM oci-layout://{folder}\n".encode())
        now = os.times()
        return now.children_user + now.children_system - used.children_user - used.children_system

    def layers(n):
        low = tar(directory("d"), *(entry(f"d/{i}") for i in range(n)))
        high = tar(*(entry(f"d/.wh.{i}") for i in range(n)), *(entry(f"e{i}/.wh..wh..opq") for i in range(n)))
        return [plain(low), plain(high)]

    def deep(n):
        path = "/".join(["x"] * 500)
        return [plain(tar(*(pax(("path", f"{path}/{i}")) + entry("f") for i in range(n))))]

    for make, n in ((layers, 10000), (deep, 500)):
        once, twice = seconds(make(n)), seconds(make(2 * n))
        check(twice < 3 * once + 0.1, f"{make.__name__}: {once} s, and {twice} s for twice as much")


@case("H052 H071")
def the_store_is_for_its_owner():
    for umask in (0o000, 0o077):
        old = os.umask(umask)
        try:
            folder = context("FROM scratch\nCOPY s /s\n", entry("s", b"1", mode=0o4755))
            name = f"store.{umask}"
            (work / name).mkdir(mode=0o700)
            accepted("build", "-q", folder, store=name)
            modes = {stat.S_IMODE(os.lstat(work / name).st_mode)}
            for where, folders, _ in os.walk(work / name):
                modes |= {stat.S_IMODE(os.lstat(os.path.join(where, f)).st_mode) for f in folders}
            equal(modes, {0o700}, "modes")
        finally:
            os.umask(old)
    # Setuid programs of layers lie where nobody else gets.
    same([tar(entry("s", b"1", mode=0o4755))], {"s": F("1", 0o4755)})
    equal(stat.S_IMODE(os.stat(work / "store").st_mode), 0o700, "the store")


@case("H127 H073 H071")
def the_order_of_things_does_not_matter():
    names, layers = [f"{a}{b}" for a in "zab" for b in range(20)], set()
    for seed in range(3):
        random.Random(seed).shuffle(names)
        folder = context("FROM scratch\nCOPY d /d\nADD x.tar /x/\n", directory("d"))
        for n in names:
            (folder / "d" / n).write_text(n)
            os.chmod(folder / "d" / n, 0o644)
        os.chmod(folder / "d", 0o755)
        (folder / "x.tar").write_bytes(tar(*(entry(n, n.encode()) for n in names)))
        out = accepted("build", "--no-cache", "-o", "type=oci,dest=-", folder,
                       env={"LC_ALL": ("C", "C.UTF-8", "de_DE")[seed], "TZ": ("UTC", "Asia/Tokyo", "")[seed]}).out
        layers.add(digest(out))
    equal(len(layers), 1, "archives of three orders")
