"""What the hostile cases share: images made byte by byte, builds of them with the real program, and
what must hold after each, whatever its outcome (`settled`): a canary tree beside the store is as it
was, nothing is mounted, no process is left, nothing lies in tmp/."""
import contextlib, ctypes, gzip, hashlib, io, json, os, pathlib, re, shutil, stat, subprocess, sys, tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "layers"))
from rawtar import *

CAIRN = os.environ["CAIRN"]
BUSYBOX = pathlib.Path("/bin/busybox").read_bytes()
OCI = "application/vnd.oci.image."
EXPORT = ("build", "-q", "-o", "type=tar,dest=-")
cases = []
work = None    # this process's folder; the store is work/store, the canary work/canary
canary = None  # as bytes: hostile names lead there


def case(rows):
    """ROWS of the catalogue of hazards that the function is about."""
    def add(function):
        cases.append((rows, function))
        return function
    return add


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(found, wanted, what):
    if found != wanted and isinstance(found, dict) and isinstance(wanted, dict):
        differing = {k: (found.get(k), wanted.get(k)) for k in sorted({*found, *wanted}, key=str)
                     if found.get(k) != wanted.get(k)}
        raise Failure(f"{what}: (found, wanted) {differing}")
    check(found == wanted, f"{what}: {found!r}, not {wanted!r}")


# --- before and after -----------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER, CLONE_NEWNS = 36, 0x20000


def begin(folder):
    """A place of its own: what is mounted here is seen by nobody else, orphans come to us."""
    global work, canary
    work = pathlib.Path(folder)
    if libc.unshare(CLONE_NEWNS) < 0 or libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    home = work / "canary"
    (home / "d").mkdir(parents=True)
    (home / "empty").mkdir()
    for name in ("f", "d/f", "precious"):
        (home / name).write_text("canary\n")
    os.chmod(home / "f", 0o640)
    os.symlink("f", home / "l")
    os.setxattr(home / "f", "user.canary", b"sings")
    canary = os.fsencode(home)


def tree(folder):
    """Everything about everything below FOLDER, but when it was read."""
    found = {}
    for where, folders, files in os.walk(os.fsdecode(folder)):
        for name in [".", *folders, *files]:
            path = os.path.join(where, name)
            s = os.lstat(path)
            what = (s.st_mode, s.st_uid, s.st_gid, s.st_nlink, s.st_size, s.st_rdev, s.st_ino,
                    s.st_mtime_ns, s.st_ctime_ns)
            if stat.S_ISLNK(s.st_mode):
                what += (os.readlink(path),)
            if stat.S_ISREG(s.st_mode):
                what += (open(path, "rb").read(),)
            found[path] = what
    return found


def mounts():
    return sorted(open("/proc/self/mountinfo"))


def outside():
    """What no build may change: the canary, the names beside the store, what is mounted."""
    return tree(canary), sorted({*os.listdir(work)} - {"store"}), mounts()


def settled(before, store="store"):
    now = outside()
    for what, a, b in zip(("the canary", "files beside the store", "mounts"), before, now):
        equal(b, a, what + " changed")
    # What has ended is ours to bury; what lives on is one too many.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        raise Failure("processes are left: " + subprocess.run(
            ["ps", "-o", "pid,args", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout)
    if not (work / store / "tmp").exists():
        return
    left = [n for n in os.listdir(work / store / "tmp") if "-" not in n]
    equal(left, [], "left in tmp")


def fsck(store="store"):
    """Every blob is what it is called; every tree is whole."""
    root = work / store
    if not root.exists():
        return
    for blob in (root / "blobs/sha256").iterdir():
        equal(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name, "a blob")
    boot = [p for p in (root / "tmp").iterdir() if "-" in p.name]
    for unpacked in (root / "trees").iterdir():
        mark = unpacked.name + ".whole"
        check(unpacked.name.endswith(".whole") or (root / "trees" / mark).exists() or
              any((b / "trees" / mark).exists() for b in boot), f"{unpacked} is not whole")


# --- the program ----------------------------------------------------------------------------------

class Result:
    def __init__(self, status, out, err, rss):
        self.status, self.out, self.err, self.rss = status, out, err, rss
        self.text = err.decode("utf-8", "backslashreplace")


def run(*arguments, stdin=b"", store="store", env={}, timeout=60, through=()):
    """cairn, perhaps as the command of another, and what must hold after it."""
    before = outside()
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "LC_ALL": "C",
                   "CAIRN_ROOT": str(work / store), "SOURCE_DATE_EPOCH": "1700000000",
                   "ASAN_OPTIONS": "detect_leaks=0", **env}
    p = subprocess.Popen([*through, CAIRN, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=environment, cwd=work)
    try:
        out, err = p.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        raise Failure(f"it hangs: {arguments}")
    result = Result(p.returncode, out, err, 0)
    check(not re.search(rb"[\0-\x08\x0b-\x1f\x7f]", err), f"control characters in {err!r}")
    check(p.returncode >= 0 and b"Sanitizer" not in err and b"runtime error" not in err,
          f"died with {p.returncode}: {result.text[-3000:]}")
    settled(before, store)
    return result


def refused(because, *arguments, times=2, **how):
    """Twice, with the same words: one line that matches BECAUSE."""
    texts = []
    for _ in range(times):
        result = run(*arguments, **how)
        check(result.status not in (0, 126, 127), f"accepted: {arguments}: {result.text[-500:]}")
        lines = [l for l in result.text.splitlines() if l.startswith("ERROR: ")]
        equal(len(lines), 1, f"lines with ERROR in {result.text!r}")
        check(re.search(because, lines[0]), f"refused, but because: {lines[0]}")
        texts.append(lines[0])
    equal(len({re.sub(r"[0-9a-f]{12,}|[0-9]+", "N", t) for t in texts}), 1, texts)


def accepted(*arguments, **how):
    result = run(*arguments, **how)
    equal(result.status, 0, result.text[-2000:])
    return result


@contextlib.contextmanager
def small_disk(megabytes, type="tmpfs"):
    """The name of a store on a file system of its own."""
    name = "small/store"
    (work / "small").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", type, "-o", f"size={megabytes}m,mode=700", type, work / "small"],
                   check=True)
    try:
        yield name
    finally:
        subprocess.run(["umount", work / "small"], check=True)


def room(store):
    disk = os.statvfs((work / store).parent)
    return disk.f_bavail * disk.f_frsize


# --- images ---------------------------------------------------------------------------------------

def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layer:
    """A layer as a layout has it; what is not given is what it should be."""
    def __init__(self, data, blob=None, diff=None, digest_=None, size=None, type="tar+gzip"):
        self.blob = gzip.compress(data, 1, mtime=0) if blob is None else blob
        self.diff = diff or digest(data)
        self.digest = digest_ or digest(self.blob)
        self.size = len(self.blob) if size is None else size
        self.type = OCI + "layer.v1." + type


def plain(data, **how):
    return Layer(data, blob=data, type="tar", **how)


def put(folder, data, name=None):
    name = name or digest(data)
    (folder / "blobs/sha256" / name.split(":")[1]).write_bytes(data)
    return name


def layout(*layers, name="image", config={}, manifest={}, index={}, descriptor={}):
    """An OCI layout of LAYERS (tars, or Layer) below work; its path."""
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "blobs/sha256").mkdir(parents=True)
    layers = [l if isinstance(l, Layer) else Layer(l) for l in layers]
    for l in layers:
        put(folder, l.blob, l.digest)
    text = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                       "rootfs": {"type": "layers", "diff_ids": [l.diff for l in layers]},
                       **config}).encode()
    document = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": {"mediaType": OCI + "config.v1+json", "digest": put(folder, text),
                           "size": len(text)},
                "layers": [{"mediaType": l.type, "digest": l.digest, "size": l.size} for l in layers],
                **manifest}
    text = json.dumps(document).encode()
    entry = {"mediaType": OCI + "manifest.v1+json", "digest": put(folder, text), "size": len(text),
             **descriptor}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry], **index}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


# A shell for RUN, in a folder that no case uses.
TOOLS = plain(tar(directory(".t"), entry(".t/busybox", BUSYBOX, mode=0o755)))
SHELL = 'SHELL ["/.t/busybox", "sh", "-ec"]\nENV PATH=/.t\n'


def context(dockerfile, *parts, name="context"):
    """A context of DOCKERFILE and, unpacked by GNU tar, PARTS."""
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    if parts:
        subprocess.run(["tar", "-xpf", "-", "-C", folder], input=tar(*parts), check=True)
    return folder


def entries_of(data):
    """path -> what a tar that cairn wrote has there, as the functions below say it."""
    found = {}
    archive = tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape")
    for m in archive:
        name = m.name.rstrip("/")
        x = {k[13:]: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        if m.isdir():
            found[name] = ("dir", m.mode, m.uid, m.gid)
        elif m.issym():
            found[name] = ("link", m.linkname, m.uid, m.gid)
        elif m.isreg():
            content = data[m.offset_data:m.offset_data + m.size]
            found[name] = ("file", m.mode, m.uid, m.gid, content)
        elif m.islnk():
            found[name] = found[m.linkname]
        elif m.isfifo():
            found[name] = ("fifo", m.mode, m.uid, m.gid)
        else:
            found[name] = ("chr" if m.ischr() else "blk", m.mode, m.devmajor, m.devminor)
        if x:
            found[name] += (x,)
    return found


def F(content=b"", mode=0o644, uid=0, gid=0):
    return ("file", mode, uid, gid, content.encode() if isinstance(content, str) else content)


def D(mode=0o755, uid=0, gid=0):
    return ("dir", mode, uid, gid)


def L(target, uid=0, gid=0):
    return ("link", target, uid, gid)


def image_tree_of(folder):
    """What an image is, by its tables alone."""
    return entries_of(accepted("build", "-q", "-o", "-", "-", stdin=f"FROM oci-layout://{folder}\n".encode()).out)


def image_tree(*layers):
    return image_tree_of(layout(*layers))


STUBS = re.compile(r"(dev|proc|sys|\.o|\.t)(/|$)|etc/(hosts|resolv\.conf)$")


def seen_by_run(*layers):
    """The same as a command finds it, through overlayfs."""
    layers = [l if isinstance(l, Layer) else Layer(l) for l in layers]
    seen = "seen." + hashlib.sha256("".join(l.diff for l in layers).encode()).hexdigest()
    dockerfile = (f"FROM oci-layout://{layout(*layers, TOOLS)}\n{SHELL}WORKDIR /\n"
                  f"RUN --mount=type=cache,target=/.o busybox find . -xdev ! -name . -print0 | "
                  f"busybox cpio -0 -o -H newc >/.o/{seen}\n")
    accepted("build", "-q", "-", stdin=dockerfile.encode())
    data, at, found, inodes = next(work.glob(f"store/mounts/*/{seen}")).read_bytes(), 0, {}, {}
    while True:
        field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        inode, mode, uid, gid, links, _, size, _, _, major, minor, name_size, _ = field
        name = data[at + 110:at + 110 + name_size - 1].decode("utf-8", "surrogateescape")
        at += 110 + name_size + -(110 + name_size) % 4
        content = data[at:at + size]
        at += size + -size % 4
        if name == "TRAILER!!!":
            break
        name = name.removeprefix("./")
        kind = {stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFREG: "file", stat.S_IFIFO: "fifo",
                stat.S_IFCHR: "chr", stat.S_IFBLK: "blk"}[stat.S_IFMT(mode)]
        found[name] = {"dir": (kind, mode & 0o7777, uid, gid), "fifo": (kind, mode & 0o7777, uid, gid),
                       "link": (kind, content.decode("utf-8", "surrogateescape"), uid, gid),
                       "file": (kind, mode & 0o7777, uid, gid, content)}.get(
                           kind, (kind, mode & 0o7777, major, minor))
        if links > 1 and kind != "dir":
            inodes.setdefault(inode, []).append(name)
    # The content of a file with several names comes with the last of them.
    for names in inodes.values():
        found.update(dict.fromkeys(names, found[names[-1]]))
    return found


def same(layers, wanted, run=True):
    """The stack of LAYERS is WANTED, by tables and in a RUN, the second time as the first."""
    first = image_tree(*layers)
    equal(first, wanted, "by tables")
    equal(image_tree(*layers), first, "the second time")
    if run:
        stubs = lambda found: {k: v for k, v in found.items() if not STUBS.match(k) and
                               not (k == "etc" and k not in wanted)}
        found = stubs(seen_by_run(*layers))
        plainly = {k: tuple(x for x in v if not isinstance(x, dict)) for k, v in wanted.items() if k != "."}
        equal(found, stubs(plainly), "in a RUN")


def image_names():
    return sorted(p.name for p in [*work.glob("store/images/*"), *work.glob("store/tmp/*/images/*")])


def layer_refused(because, *layers, loads=False, **how):
    """The top one of LAYERS is, as a base and, unless it is good alone (LOADS), when loaded."""
    folder, names = layout(*layers, **how), image_names()
    refused(because, "build", "-q", "-o", "type=tar,dest=-", "-",
            stdin=f"FROM oci-layout://{folder}\n".encode())
    if not loads:
        refused(because, "load", "-q", "-i", folder, times=1)
        equal(image_names(), names, "images")


def stack_refused(by_tables, in_a_run, *layers):
    """Layers that are good alone and no good together."""
    folder = layout(*layers, TOOLS)
    refused(by_tables, "build", "-q", "-o", "type=tar,dest=-", "-",
            stdin=f"FROM oci-layout://{folder}\n".encode())
    refused(in_a_run, "build", "-q", "-", stdin=f"FROM oci-layout://{folder}\n{SHELL}RUN :\n".encode())
