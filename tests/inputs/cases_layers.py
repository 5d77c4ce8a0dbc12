"""Stacks of layers: what the upper ones say of the lower ones, by tables and in a RUN."""
from suite import *

LOW = tar(directory("d", mode=0o711, uid=5), entry("d/x", b"x"), directory("d/sub"), entry("d/sub/y", b"y"),
          entry("f", b"f"), symlink("l", "d"))
D_ALONE = {"d": D(0o711, 5)}
REST = {"f": F("f"), "l": L("d")}
D_ALL = {**D_ALONE, "d/x": F("x"), "d/sub": D(), "d/sub/y": F("y")}


@case("H089 H093")
def whiteouts_that_name_nothing():
    for name in (".wh.", "d/.wh.", ".wh..", ".wh...", "d/.wh...", "d/.wh.."):
        layer_refused("names nothing", LOW, tar(entry(name)))
    for name in (".wh.d/x", "d/.wh.x/y"):
        layer_refused("lies below a whiteout", LOW, tar(entry(name)))
    layer_refused("is not allowed in a layer", LOW, tar(entry("../.wh.f")))
    same([LOW, tar(entry(".wh.gone"), entry("d/.wh.gone"), entry("n/.wh.gone"))], {**D_ALL, **REST, "n": D()})
    marks = (directory(".wh..wh.plnk"), entry(".wh..wh.plnk/1.2"), entry(".wh..wh.aufs"))
    same([LOW, tar(*marks, entry("a"))], {**D_ALL, **REST, "a": F()})


@case("H089 H090 H091 H092")
def whiteouts_act_on_lower_layers():
    same([LOW, tar(entry(".wh.f"), entry(".wh.l"))], D_ALL)
    same([LOW, tar(entry(".wh.d"))], REST)
    same([LOW, tar(entry("d/.wh.x"))], {k: v for k, v in {**D_ALL, **REST}.items() if k != "d/x"})
    for parts in ((entry(".wh.f"), entry("f", b"new")), (entry("f", b"new"), entry(".wh.f"))):
        same([LOW, tar(*parts)], {**D_ALL, **REST, "f": F("new")})
    for parts in ((entry(".wh.d"), entry("d/n", b"n")), (entry("d/n", b"n"), entry(".wh.d"))):
        same([LOW, tar(*parts)], {**REST, "d": D(), "d/n": F("n")})
    mark, parts = entry("d/.wh..wh..opq"), [directory("d", mode=0o700), entry("d/n", b"n"), entry("d/.wh.x")]
    for i in range(len(parts) + 1):
        same([LOW, tar(*parts[:i], mark, *parts[i:])], {**REST, "d": D(0o700), "d/n": F("n")})
    same([LOW, tar(directory("new"), entry("new/.wh..wh..opq"), entry("new/n"))],
         {**D_ALL, **REST, "new": D(), "new/n": F()})
    same([LOW, tar(entry(".wh.d")), tar(entry("d/again", b"1"))], {**REST, "d": D(), "d/again": F("1")})


@case("H089")
def an_opaque_root_hides_everything():
    opaque = tar(entry(".wh..wh..opq"), entry("only", b"1"))
    same([LOW, opaque], {"only": F("1")})
    same([LOW, opaque, LOW], {**D_ALL, **REST, "only": F("1")})
    same([LOW, tar(directory("./", mode=0o700, uid=9), entry(".wh..wh..opq"))], {".": D(0o700, 9)})


@case("H088 H087")
def hard_links_across_layers():
    same([LOW, tar(hardlink("b", "f"))], {**D_ALL, **REST, "b": F("f")})
    same([LOW, tar(hardlink("d/b", "d/sub/y")), tar(entry(".wh.f"), hardlink("c", "d/b"))],
         {**D_ALL, "l": L("d"), "d/b": F("y"), "c": F("y")})
    for parts, target in (((entry(".wh.f"),), "f"), ((entry("d/.wh..wh..opq"),), "d/x"),
                          ((entry(".wh..wh..opq"),), "f"), ((entry(".wh.d"),), "d/sub/y")):
        stack_refused("hard link to /.* is not there", "hard link to .* no file", LOW,
                      tar(*parts, hardlink("b", target)))
    stack_refused("hard link to /f", "hard link to f", LOW, tar(entry(".wh.f")), tar(hardlink("b", "f")))
    stack_refused("hard link to the directory /d", "hard link to d, which is no file", LOW, tar(hardlink("b", "d")))


@case("H086 H044 H047 H215")
def entries_below_a_link_of_a_lower_layer():
    low = tar(directory("usr"), directory("usr/bin", mode=0o711), entry("usr/bin/a", b"a"), symlink("bin", "usr/bin"),
              symlink("abs", "/usr/bin"), symlink("gone", "nowhere/here"), symlink("file", "usr/bin/a"),
              symlink("chain", "bin"), symlink("loop", "loop"), symlink("up", "../../usr"))
    links = {"bin": L("usr/bin"), "abs": L("/usr/bin"), "gone": L("nowhere/here"), "file": L("usr/bin/a"),
             "chain": L("bin"), "loop": L("loop"), "up": L("../../usr")}
    base = {"usr": D(), "usr/bin": D(0o711), "usr/bin/a": F("a"), **links}
    same([low, tar(entry("bin/x", b"1"), entry("abs/y", b"2"), entry("chain/z/z", b"3"), entry("up/bin/v", b"4"))],
         {**base, "usr/bin/x": F("1"), "usr/bin/y": F("2"), "usr/bin/z": D(), "usr/bin/z/z": F("3"), "usr/bin/v": F("4")})
    same([low, tar(entry("bin/.wh.a"), entry("bin/x", b"1"), hardlink("bin/h", "bin/x"), hardlink("top", "bin/x"))],
         {**{k: v for k, v in base.items() if k != "usr/bin/a"}, **{n: F("1") for n in ("usr/bin/x", "usr/bin/h", "top")}})
    same([low, tar(entry("bin/x", b"1")), tar(hardlink("copy", "usr/bin/x")), tar(entry("abs/x", b"2"))],
         {**base, "usr/bin/x": F("2"), "copy": F("1")})
    same([low, tar(entry("gone/x", b"1"))], {**base, "nowhere": D(), "nowhere/here": D(), "nowhere/here/x": F("1")})
    # A layer that names the folder means a folder.
    same([low, tar(directory("bin"), entry("bin/x", b"1"))], {**base, "bin": D(), "bin/x": F("1")})
    same([low, tar(entry("bin/x", b"1"), entry(".wh.bin"))], {**base, "bin": D(), "bin/x": F("1")})
    same([low, tar(entry("usr/bin/x", b"named"), entry("bin/x", b"led there"))], {**base, "usr/bin/x": F("named")})
    layer_refused("leads to the file /usr/bin/a", low, tar(entry("file/x")), loads=True)
    layer_refused("too many levels|symbolic links", low, tar(entry("loop/x")), loads=True)
    inside = os.fsdecode(canary[1:])
    folders = {inside.rsplit("/", i)[0]: D() for i in range(inside.count("/") + 1)}
    for target in (canary, b"../../../.." + canary):
        same([tar(pax(("linkpath", target)), symlink("l", "")), tar(entry("l/f", b"evil"), directory("l/d/new"))],
             {**folders, "l": L(os.fsdecode(target)), inside + "/f": F("evil"), inside + "/d": D(), inside + "/d/new": D()})


@case("H021 H088")
def users_are_found_through_hard_links():
    low = tar(directory("etc"), entry("etc/passwd.dist", b"me:x:77:88::/:/bin/sh\n"), TOOLS.blob[:-1024])
    folder = layout(low, tar(hardlink("etc/passwd", "etc/passwd.dist")))
    dockerfile = f"FROM oci-layout://{folder}\n{SHELL}USER me\nRUN test $(busybox id -u):$(busybox id -g) = 77:88\n"
    accepted("build", "-q", "-", stdin=dockerfile.encode())
    # A folder where the file should be is no reason to look elsewhere.
    for parts in ((directory("etc/passwd"),), (entry("etc/passwd/x"),), (symlink("etc/passwd", "passwd"),),
                  (header("etc/passwd", type=b"6"),), (pax(("linkpath", canary + b"/f")), symlink("etc/passwd", ""))):
        folder = layout(low, tar(*parts))
        refused("me|passwd", "build", "-q", "-",
                stdin=f"FROM oci-layout://{folder}\n{SHELL}USER me\nRUN :\n".encode())


@case("H095 H096 H318")
def devices():
    layer_refused("a device 0:0", LOW, tar(header("f", type=b"3")))
    same([tar(header("c", type=b"3", major=1, minor=3, mode=0o666), header("b", type=b"4", mode=0o600),
              header("p", type=b"6", mode=0o640, uid=7))],
         {"c": ("chr", 0o666, 1, 3), "b": ("blk", 0o600, 0, 0), "p": ("fifo", 0o640, 7, 0)})


@case("H120 H121")
def implied_folders_look_as_below():
    low = tar(pax(("SCHILY.xattr.user.a", "b")), directory("a", mode=0o700, uid=5, mtime=77), entry("a/x", mtime=5))
    wanted = {"a": (*D(0o700, 5), {"user.a": "b"}), "a/x": F(), "a/b": D(), "a/b/c": F("1")}
    same([low, tar(entry("a/b/c", b"1"))], wanted)
    times = {m.name: m.mtime for m in tarfile.open(fileobj=io.BytesIO(accepted(
        "build", "-q", "-o", "-", "-", stdin=f"FROM oci-layout://{layout(low)}\n".encode(),
        env={"SOURCE_DATE_EPOCH": ""}).out))}
    equal(times, {"a": 77, "a/x": 5}, "times")
    inner = tar(entry("d/e/f", mtime=3), directory("d/e", mtime=7), directory("d", mtime=9), entry("d/late", mtime=11))
    seen_by_run(inner)
    for path in work.glob("store/trees/*/d/late"):
        equal([int(os.stat(path.parent / p).st_mtime) for p in (".", "e", "e/f")], [9, 7, 3], "times of a tree")


@case("H122 H099")
def anything_replaces_anything():
    kinds = {"file": (entry("x", b"1"),), "folder": (directory("x"), entry("x/in", b"in")),
             "link": (symlink("x", "elsewhere"),), "pipe": (header("x", type=b"6", mode=0o644),)}
    trees = {"file": {"x": F("1")}, "folder": {"x": D(), "x/in": F("in")}, "link": {"x": L("elsewhere")},
             "pipe": {"x": ("fifo", 0o644, 0, 0)}}
    for lower in kinds:
        for upper in kinds:
            same([tar(*kinds[lower]), tar(*kinds[upper])], trees[upper])
            if lower != upper:
                same([tar(*kinds[lower], *kinds[upper])], trees[upper], run=False)


@case("H270 H271 H316 H141")
def layers_that_occur_twice():
    undo = tar(entry(".wh.f"), entry("d/.wh.x"), entry("new", b"1"))
    gone = {k: v for k, v in {**D_ALL, **REST, "new": F("1")}.items() if k not in ("f", "d/x")}
    same([LOW, undo], gone)
    same([LOW, LOW], {**D_ALL, **REST})
    same([LOW, undo, LOW], {**D_ALL, **REST, "new": F("1")})
    same([LOW, undo, LOW, undo, undo], gone)
    # The same tar, packed in two ways: two blobs, one layer.
    zstd = subprocess.run(["zstd", "-qc"], input=LOW, check=True, capture_output=True).stdout
    same([LOW, undo, Layer(LOW, blob=zstd, type="tar+zstd")], {**D_ALL, **REST, "new": F("1")})
    folder = layout(LOW, Layer(LOW, blob=zstd, type="tar+zstd"), plain(LOW))
    accepted("load", "-q", "-i", folder)


@case("H150 H262")
def hundreds_of_layers():
    count = 501
    layers = [plain(tar(entry(f"f{i}", b"%d" % i), entry("last", b"%d" % i))) for i in range(count)]
    same(layers, {f"f{i}": F(b"%d" % i) for i in range(count)} | {"last": F(b"%d" % (count - 1))})


@case("H261 H264 H124 H260")
def what_a_run_deletes_and_makes_again():
    dockerfile = (f"FROM oci-layout://{layout(LOW, tar(entry('h1', b'1'), hardlink('h2', 'h1')), TOOLS)}\n{SHELL}"
                  "RUN busybox rm -rf /d && busybox mkdir /d && busybox touch /d/new\n"
                  "RUN busybox rm -rf /f && busybox mkdir -p /f/g && echo 2 >>/h1 && busybox rm /l && echo l >/l\n"
                  "RUN busybox rm -rf /f && busybox ln -s nowhere /f && busybox chmod 600 /h2\n")
    folder = work / "outcome"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    accepted("build", "-q", "-o", f"type=oci,dest={folder / 'image.tar'},compression=uncompressed", "-",
             stdin=dockerfile.encode())
    subprocess.run(["tar", "-xf", "image.tar"], cwd=folder, check=True)
    wanted = {"d": D(), "d/new": F(), "f": L("nowhere"), "h1": F("12\n"), "h2": F("1", 0o600), "l": F("l\n")}
    equal({k: v for k, v in image_tree_of(folder).items() if not STUBS.match(k)}, wanted, "elsewhere")
    manifest = json.loads((folder / "blobs/sha256" / json.loads((folder / "index.json").read_text())
                           ["manifests"][0]["digest"][7:]).read_text())
    for l in manifest["layers"][-3:]:
        names = tarfile.open(folder / "blobs/sha256" / l["digest"][7:]).getnames()
        equal(names, sorted(names, key=lambda n: n.split("/")), "parents first")
        others = {n for n in names if not n.split("/")[-1].startswith(".wh.")}
        for n in names:
            check(n.count("/") == 0 or n.rsplit("/", 1)[0] in others, f"{n} has no folder")


@case("H097 H317 H109")
def what_a_place_does_not_allow():
    low = tar(pax(("SCHILY.xattr.user.colour", "blue"), ("SCHILY.fflags", "schg,uappnd,immutable")),
              entry("f", b"1"), header("n", type=b"3", major=1, minor=3, mode=0o666))
    wanted = {"f": (*F("1"), {"user.colour": "blue"}), "n": ("chr", 0o666, 1, 3)}
    same([low], wanted)
    dockerfile = (f"FROM oci-layout://{layout(low, TOOLS)} AS low\n{SHELL}RUN test %s -c /n && echo >>/f\n"
                  "FROM scratch\nCOPY --from=low f n /\n").encode()
    # Who may make no devices has none in a RUN, but loses none of an image.
    with small_disk(64) as store:
        for _ in range(2):
            found = entries_of(accepted(*EXPORT, "--no-cache", "-", stdin=dockerfile % b"!", store=store,
                                        through=("unshare", "-Ur")).out)
            equal((found["f"][4], found["n"]), (b"1\n", wanted["n"]), "files and devices of a user")
    # Where files have no attributes they are only missing in a RUN.
    with small_disk(64, "ramfs") as store:
        found = entries_of(accepted(*EXPORT, "-", store=store,
                                    stdin=f"FROM oci-layout://{layout(low, TOOLS)}\n{SHELL}RUN test -c /n\n".encode()).out)
        equal({k: found[k] for k in wanted}, wanted, "a base in memory")


# Runs the rest of its arguments where there are the first 65536 users and groups only.
FEW_IDS = """
import ctypes, os, sys
ready, other = os.pipe(), os.getpid()
if os.fork() == 0:
    os.read(ready[0], 1)
    for map in ("uid_map", "gid_map"):
        with open(f"/proc/{other}/{map}", "w") as f:
            f.write("0 0 65536")
    os._exit(0)
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x20000) < 0:  # CLONE_NEWUSER, CLONE_NEWNS
    sys.exit(os.strerror(ctypes.get_errno()))
os.write(ready[1], b"x")
if os.wait()[1] == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
"""


@case("H111")
def owners_that_a_user_namespace_does_not_have():
    through = (sys.executable, "-c", FEW_IDS)
    low = tar(entry("big", b"1", uid=70000, gid=70001), symlink("l", "big"))
    base = f"FROM oci-layout://{layout(low, TOOLS)} AS low\n{SHELL}"
    refused("unpack big: owner 70000:70001 is not among the ids", "build", "-q", "-", through=through,
            stdin=(base + "RUN test -e /big\n").encode())
    # What nobody unpacks needs no owner here.
    found = entries_of(accepted(*EXPORT, "-", through=through,
                                stdin=(base + "FROM scratch\nCOPY --from=low big /\n").encode()).out)
    equal(found, {"big": F("1", uid=70000, gid=70001)}, "copied")
