"""One archive, three ways in: as the layer of a base, as ADD's source, as a context on standard
input."""
import bz2, lzma, zlib
from suite import *


def zstd(data, *flags):
    return subprocess.run(["zstd", "-qc", *flags], input=data, check=True, capture_output=True).stdout


def as_layer(outcome, data):
    if isinstance(outcome, str):
        layer_refused(outcome, data)
    else:
        same([data], outcome)


def as_add(outcome, data):
    """Unpacked below /d, which is taken off again."""
    folder = context("FROM scratch\nADD x.tar /d/\n")
    (folder / "x.tar").write_bytes(data.blob if isinstance(data, Layer) else data)
    how = ("build", "-q", "-o", "type=tar,dest=-", folder)
    if isinstance(outcome, str):
        refused(outcome, *how)
        return
    found = entries_of(accepted(*how).out)
    equal(found.pop("d", D()), D(), "the destination")
    equal({k.removeprefix("d/"): v for k, v in found.items()}, outcome, "added")
    equal(entries_of(accepted(*how).out).keys() - {"d"}, {"d/" + k for k in outcome}, "the second time")


def as_context(outcome, data):
    """A context loses owners; what it says of the Dockerfile is left out."""
    how = ("build", "-q", "-o", "type=tar,dest=-", "-")
    if isinstance(outcome, str):
        refused(outcome, *how, stdin=data)
        return
    found = entries_of(accepted(*how, stdin=data).out)
    found.pop("Dockerfile")
    equal(found, {k: v if v[0] in ("chr", "blk") else (*v[:2], 0, 0, *v[4:5]) for k, v in outcome.items()},
          "the context")


DOCKERFILE = entry("Dockerfile", b"FROM scratch\nCOPY . /\n")
SAME = object()  # what holds for a layer holds here, too


def archive(*parts, layer, add=SAME, context=SAME, end=END):
    as_layer(layer, tar(*parts, end=end))
    as_add(layer if add is SAME else add, tar(*parts, end=end))
    as_context(layer if context is SAME else context, tar(DOCKERFILE, *parts, end=end))


def outside_of(place):
    """Absolute and relative names of what is in the canary."""
    return [canary + place, b"../" * 12 + canary[1:] + place]


# --- B: names -------------------------------------------------------------------------------------

@case("H072 H114 H280 H300")
def names_are_bytes_whatever_the_locale():
    odd = [b"dir/\xc3\xa9", b"dir/\xe9", b"new\nline", b"\x1b[31mred", b"%s%n", b"-rf", b"back\\slash",
           b"trailing ", b"\xed\xa0\x80", b"tab\t", b"CON", b"con"]
    data = tar(*(part for name in odd for part in (pax(("path", name)), entry("x", b"1"))))
    wanted = {os.fsdecode(name): F("1") for name in odd} | {"dir": D()}
    same([data], wanted)
    as_add(wanted, data)
    as_context(wanted, tar(DOCKERFILE, data[:-1024]))
    outputs = {accepted("build", "-q", "-", stdin=tar(DOCKERFILE, data[:-1024]), env={"LC_ALL": locale}).out
               for locale in ("C", "C.UTF-8", "de_DE.UTF-8")}
    equal(len(outputs), 1, "images of three locales")


@case("H072 H081 H103")
def malformed_pax_records():
    for bad in (b"99 path=../../etc/x\n", b"path=x\n", b"0 \n", b"99999999999999999999 path=x\n", b"6 =ab\n"):
        archive(pax(bad), entry("safe"), layer="malformed pax record")
    for key in ("path", "linkpath", "uname"):
        archive(pax((key, b"safe\0/../../x")), entry("safe"), layer="malformed pax record")
    for key in ("path", "GNU.sparse.name"):
        more = [] if key == "path" else [("GNU.sparse.major", "0"), ("GNU.sparse.size", "0")]
        archive(pax(*more, (key, "../x")), entry("safe"), layer="the name ../x is not allowed",
                add={"x": F()}, context="leads out of the context")


@case("H084 H044 H025")
def names_with_dots():
    for name in ("../x", "a/../../x", "a/./../../x", "/../x", "//../x", "../" * 12 + "x"):
        archive(entry(name, b"1"), layer="is not allowed in a layer", add={"x": F("1")},
                context="leads out of the context")
    for place in outside_of(b"/f")[1:]:
        archive(pax(("path", place)), entry("x"), layer="is not allowed in a layer",
                context="leads out of the context",
                add={os.fsdecode(canary[1:] + b"/f"): F()} | {
                    os.fsdecode(canary[1:]).rsplit("/", i)[0]: D()
                    for i in range(canary.count(b"/"))})
    for name in ("..", "a/.."):
        archive(entry(name), layer="is not allowed in a layer", context="leads out of the context",
                add="only a folder can stand for the destination")
    archive(entry("..\\x"), entry("..."), entry("a..b"),
            layer={"..\\x": F(), "...": F(), "a..b": F()})


@case("H085 H312 H099")
def harmless_spellings():
    archive(directory("./", mode=0o755), directory("./a/"), entry("/b", b"1"), entry("a//c", b"2"),
            entry("./a/./d", b"3"), entry("//e", b"4"),
            layer={"a": D(), "a/c": F("2"), "a/d": F("3"), "b": F("1"), "e": F("4")})
    archive(entry("/etc/x", b"1"), layer={"etc": D(), "etc/x": F("1")})


@case("H045")
def the_root_is_a_folder_or_nothing():
    for name in (".", "./", "/", "/.", "//", "./."):
        for type, link in ((b"2", canary), (b"1", b"f"), (b"0", b""), (b"6", b"")):
            if name != "." and type != b"2":
                continue  # an old way to say that it is a folder, or much the same
            archive(entry("f"), header(name, type=type, link=link),
                    layer="root of a layer is no directory|hard link to|no directory",
                    add="only a folder can stand|no file of the archive|hard link",
                    context="only a folder can stand")
        archive(header(name, type=b"5", mode=0o755), entry("f"), layer={"f": F()})
    archive(header("", type=b"2", link=canary), layer="without a name")


@case("H113 H060")
def long_names():
    archive(pax(("path", "n" * 255)), entry("x"), layer={"n" * 255: F()})
    archive(pax(("path", "n" * 256)), entry("x"), layer="is not allowed in a layer",
            add="a name of more than 255 bytes", context="File name too long")
    for size in (100, 101, 155, 256):
        name = "/".join(["d" * 49] * 6)[:size - 1] + "f"
        folders = {name.rsplit("/", i)[0]: D() for i in range(1, name.count("/") + 1)}
        archive(pax(("path", name)), entry("x", b"1"), layer={name: F("1"), **folders})


@case("H102 H049")
def extended_headers_that_are_none():
    for text in (b"", b"no end", b"a\0b\0", b"\0"):
        archive(long_name(text), entry("x"), layer="malformed long name")
    archive(long_name(b"n" * (2 << 20) + b"\0"), entry("x"), layer="an extended header of 2")
    huge = header("PaxHeader", type=b"x", size=1 << 30)
    archive(huge, layer="an extended header of 1073741824", end=b"")
    archive(long_name("x\0"), layer="cut short")


# --- B: types, sizes, numbers ---------------------------------------------------------------------

@case("H063 H082")
def bodies_that_readers_disagree_about():
    inner = entry("smuggled", b"1")
    for type in (b"1", b"2", b"3", b"5", b"6"):
        body = header("x", type=type, link="f", size=len(inner)) + inner
        archive(entry("f"), body, layer="an entry that is no file has a size")
    # The size of pax counts: the body is content and not two entries.
    archive(pax(("size", str(len(inner)))), header("x", size=0), inner, layer={"x": F(inner)})
    archive(pax(("path", "a")), pax(("path", "b")), entry("x"), layer="two pax headers")
    archive(long_name("a\0"), long_name("b\0"), entry("x"), layer="two long names")


@case("H083")
def types_nobody_knows():
    for byte in b"VMNDAXQ8\x01\xff":
        archive(header("x", type=bytes([byte])), layer="unknown type")


@case("H080")
def a_wrong_checksum():
    archive(entry("a"), entry("b", checksum=1), entry("c"), layer="a damaged header at byte",
            add="a damaged header at byte")


@case("H100 H096 H111 H112 H301")
def numbers():
    archive(header("x", size_field=b"\x80" + bytes(3) + b"\x10" + bytes(7)), layer="a size that is none")
    archive(header("x", size_field=b"\xff" * 12), layer="a size that is none")
    for value in ("-1", "1e9", " 1", "99999999999999999999"):
        archive(pax(("size", value)), entry("x"), layer="malformed pax record")
    archive(header("x", type=b"3", major_field=b"\x80" + b"\x7f" * 7), layer="a device number that is none")
    archive(pax(("uid", "4294967295")), entry("x"), layer="an owner that is none")
    archive(pax(("uid", "3000000000"), ("gid", "65534")), entry("x"), layer={"x": F(uid=3000000000, gid=65534)})
    for value in ("-86400.5", "8589934593", "4398046511104", "0.999999999999"):
        archive(pax(("mtime", value)), entry("x"), layer={"x": F()})
    archive(pax(("mtime", "nan")), entry("x"), layer="malformed pax record")
    for value in ("2147483648", "-2147483649", "9223372036854775799.9", "-9223372036854775799.9"):
        archive(pax(("mtime", value)), entry("x"), layer={"x": F()})
    for value in ("9223372036854775808", "-9223372036854775809", "18446744073709551616"):
        archive(pax(("mtime", value)), entry("x"), layer="malformed pax record")
    for size in (1 << 31, 1 << 32, (1 << 32) + 1, (1 << 63) - 511, (1 << 63) - 1):
        archive(pax(("size", str(size))), entry("x"), layer="a size that is none|cut short|malformed pax record")


@case("H101 H049")
def sparse_files():
    for parts in ("0,10,5,10", "10,5,0,5", "0,100", "0,-1", "x"):
        archive(pax(("GNU.sparse.map", parts), ("GNU.sparse.size", "20")), entry("f", b"x" * 20),
                layer="sparse|malformed pax record")
    archive(pax(("GNU.sparse.map", "0,1"), ("GNU.sparse.size", str(1 << 50))), entry("f", b"x"),
            layer="a size that is none")
    archive(pax(("GNU.sparse.map", "0,1"), ("GNU.sparse.size", str(1 << 37))), entry("f", b"x"),
            layer="sparse files of more than")
    archive(pax(("GNU.sparse.map", "2,3,7,1"), ("GNU.sparse.size", "9")), entry("f", b"abcd"),
            layer={"f": F(b"\0\0abc\0\0d\0")})
    # Millions of parts in few bytes.
    many = b"0" * 7 + b"\n" + b"1\n0\n" * (1 << 21)
    archive(pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "1")),
            entry("f", b"9999999\n" + many), layer="sparse")


# --- B: links -------------------------------------------------------------------------------------

@case("H086 H044 H046")
def writing_through_a_link():
    for target in [*outside_of(b""), b"..", b"/", b"d"]:
        inside = target in (b"d", b"/", b"..")
        parts = [directory("d"), pax(("linkpath", target)), symlink("l", ""), entry("l/f", b"new")]
        layer, context_ = "which is no directory", "the folder around it"
        if target == b"d":
            add = {"d": D(), "d/f": F("new"), "l": L("d")}
        elif inside:  # as on a disk: / is the image's
            add = "it leads out of /d"
        else:
            add = "it leads out of /d"
        archive(*parts, layer=layer, add=add, context=context_)
    # What is in the way is replaced, link or not, and keeps nobody's mode.
    for target in outside_of(b"/f"):
        link = (pax(("linkpath", target)), symlink("l", ""))
        archive(*link, entry("l", b"new", mode=0o4755), layer={"l": F("new", 0o4755)})
        archive(*link, directory("l", mode=0o777), layer={"l": D(0o777)})
        archive(entry("f"), *link, hardlink("l", "f"), layer={"f": F(), "l": F()})
        archive(*link, hardlink("h", "l"), layer={"l": L(os.fsdecode(target)), "h": L(os.fsdecode(target))},
                context="no file of the archive")
    archive(symlink("l", "d"), directory("d"), directory("l/sub"), layer="which is no directory",
            add={"d": D(), "d/sub": D(), "l": L("d")}, context="the folder around it")


@case("H087 H064 H066")
def hard_links_that_lead_nowhere():
    for target in outside_of(b"/f"):
        up = target.startswith(b"..")
        parts = pax(("linkpath", target)), header("l", type=b"1")
        if up:
            as_layer("is not allowed in a layer", tar(*parts))
        else:
            stack_refused("hard link to /.* is not there", "hard link to .* no file", tar(*parts))
        as_add("hard link", tar(*parts))
        as_context("leads out" if up else "no file of the archive|the folder around it", tar(DOCKERFILE, *parts))
    link = (pax(("linkpath", canary)), symlink("out", ""))
    through = (*link, hardlink("l", "out/f"))
    stack_refused("hard link to /.* is not there", "hard link to .* no file", tar(*through))
    as_add("leads out|hard link", tar(*through))
    as_context("the folder around it", tar(DOCKERFILE, *through))
    for parts in ((hardlink("l", "l"),), (hardlink("l", "f"), entry("f")),
                  (directory("d"), hardlink("l", "d"))):
        archive(*parts, layer="hard link")
    # A layer's may be in a layer below: that is known when somebody wants it.
    for parts in ((hardlink("l", "gone"),), (hardlink("l", ".wh.x"),)):
        stack_refused("hard link to /.* is not there", "hard link to .* no file", tar(*parts))
        as_add("hard link", tar(*parts))
        as_context("hard link", tar(DOCKERFILE, *parts))
    archive(symlink("a", "b"), symlink("b", "a"), entry("a/x"), layer="which is no directory",
            add="too many levels|is not a directory", context="the folder around it")


@case("H311 H279 H060 H309")
def links_are_kept_as_they_are():
    longest = "0" * 4095
    targets = ["/usr/bin", "../../..", "gone", "l", ".", longest, "a\nb"]
    parts = [part for i, t in enumerate(targets) for part in (pax(("linkpath", t)), symlink(f"l{i}", ""))]
    archive(*parts, layer={f"l{i}": L(t) for i, t in enumerate(targets)})
    dockerfile = (f"FROM oci-layout://{layout(TOOLS)} AS a\n{SHELL}"
                  "RUN busybox mkdir /d && busybox ln -s $(busybox printf %04095d 0) /d/l\n"
                  "RUN test $(busybox readlink -n /d/l | busybox wc -c) = 4095\nFROM scratch\nCOPY --from=a /d /\n")
    for isolation in ("auto", "copy"):
        found = entries_of(accepted(*EXPORT, "--no-cache", "--isolation", isolation, "-", stdin=dockerfile.encode()).out)
        equal(found, {"l": L(longest)}, "of a RUN")


@case("H088 H123")
def files_with_several_names():
    archive(entry("a", b"1", mode=0o755), hardlink("b", "a"), directory("d"), hardlink("d/c", "b"),
            layer={n: F("1", 0o755) for n in ("a", "b", "d/c")} | {"d": D()})
    archive(symlink("l", "x"), hardlink("m", "l"), layer={"l": L("x"), "m": L("x")},
            context="no file of the archive")


# --- B: contents and attributes -------------------------------------------------------------------

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


@case("H098 H104 H105 H106 H107 H108 H110")
def modes_owners_attributes():
    archive(entry("s", b"1", mode=0o6755, uid=7, gid=8), directory("t", mode=0o1777, uid=7),
            entry("none", mode=0), layer={"s": F("1", 0o6755, 7, 8), "t": D(0o1777, 7), "none": F(mode=0)})
    v3 = bytes.fromhex("01000003" + CAPABILITY.hex()[8:] + "e8030000")
    parts = (pax(*[("SCHILY.xattr." + k, v) for k, v in (
        ("trusted.overlay.redirect", "/../.."), ("trusted.overlay.opaque", "y"), ("trusted.overlay.metacopy", ""),
        ("user.overlay.opaque", "y"), ("trusted.overlay.whiteout", "y"), ("security.selinux", "x"),
        ("security.ima", "x"), ("system.posix_acl_default", "x"), ("user.colour", "blue"),
        ("security.capability", v3))]), entry("caps", b"1", mode=0o4755, uid=7))
    data = tar(*parts)
    for found in (image_tree(data), entries_of(accepted(
            "build", "-q", "-o", "-", "-", stdin=tar(entry("Dockerfile", b"FROM scratch\nADD a /\n"),
                                                    entry("a", data))).out)):
        f = found["caps"]
        equal(f[:5], F("1", 0o4755, 7), "the file")
        equal(sorted(f[5]), ["security.capability", "user.colour"], "attributes kept")
    as_context({"caps": F("1", 0o4755)}, tar(DOCKERFILE, *parts))
    seen = seen_by_run(data)
    equal(seen["caps"], F("1", 0o4755, 7), "in a RUN")
    found = list(work.glob("store/trees/*/caps"))
    check(found and all(os.getxattr(p, "security.capability") == CAPABILITY and
                        sorted(os.listxattr(p)) == ["security.capability", "user.colour"] for p in found),
          "attributes of the tree")
    for size, fits in ((255 - 5, True), (64 << 10, False)):
        name, value = ("n" * size, "v") if fits else ("a", "v" * (70 << 10))
        data = tar(pax(("SCHILY.xattr.user." + name, value)), entry("f"))
        image_tree(data)
    for name in ("SCHILY.fflags", "LIBARCHIVE.fflags", "SUN.fflags", "RHT.security.selinux"):
        archive(pax((name, "schg,uappnd")), entry("f", b"1"), layer={"f": F("1")})


@case("H313 H072")
def headers_that_say_little():
    archive(pax(("comment", "git"), type=b"g"), pax(("comment", "x")), entry("a"),
            pax(("mtime", "1.25"), ("atime", "1"), ("uname", "nobody-knows")), entry("b"),
            pax(("path", "")), entry("c"), entry("d", type=b"\0"), entry("e", type=b"7"),
            layer={n: F() for n in "abcde"})
    archive(header("d/", magic=bytes(8), type=b"\0"), entry("d/f", b"x", magic=bytes(8), type=b"\0"),
            layer={"d": D(0o644), "d/f": F("x")})


@case("H099 H122")
def the_last_of_several_entries_counts():
    archive(entry("a", b"1"), entry("./a", b"22"), layer={"a": F("22")})
    archive(directory("a"), entry("a/x"), entry("a", b"1"), layer={"a": F("1")})
    archive(entry("a"), directory("a"), entry("a/x"), layer={"a": D(), "a/x": F()})
    archive(directory("a"), entry("a/x"), symlink("a", "/"), layer={"a": L("/")})
    archive(symlink("a", "/"), entry("a", b"1"), layer={"a": F("1")})
    archive(symlink("a", "/"), directory("a"), entry("a/x", b"1"), layer={"a": D(), "a/x": F("1")})
    archive(entry("a", b"old"), hardlink("b", "a"), entry("a", b"new"), layer={"a": F("new"), "b": F("old")})


@case("H120 H121 H113")
def folders_that_are_only_implied():
    archive(entry("a/b/c", b"1"), layer={"a": D(), "a/b": D(), "a/b/c": F("1")})
    deep = "/".join(["d"] * 1000)
    data = tar(pax(("path", deep + "/f")), entry("x", b"1"))
    wanted = {"/".join(["d"] * i): D() for i in range(1, 1001)} | {deep + "/f": F("1")}
    same([data], wanted)
    as_add(wanted, data)
    as_context(wanted, tar(DOCKERFILE, data[:-1024]))


@case("H316 H312")
def archives_with_nothing_in_them():
    same([tar()], {})
    same([tar(directory("./"))], {})
    same([b""], {}, run=False)
    same([], {}, run=False)
    as_add({}, tar(directory("./")))
    as_context({}, tar(DOCKERFILE, directory("./")))


# --- B: streams -----------------------------------------------------------------------------------

WHOLE = tar(entry("a", os.urandom(3000)), directory("d"), entry("d/b", b"2" * 700))
TREE = {"a": F(WHOLE[512:3512]), "d": D(), "d/b": F("2" * 700)}


@case("H075 H076 H079 H129")
def damaged_compression():
    blob = gzip.compress(WHOLE, mtime=0)
    for i in (1, 4, 5, 8):
        damaged = bytearray(blob)
        damaged[-i] ^= 1
        layer_refused("gzip stream is damaged", Layer(WHOLE, blob=bytes(damaged)))
        as_add("gzip stream is damaged", bytes(damaged))
        as_context("gzip stream is damaged", bytes(damaged))
        layer_refused("gzip stream is cut short", Layer(WHOLE, blob=blob[:-i]))
        as_add("cut short", blob[:-i])
    as_context("cut short", blob[:len(blob) // 2])
    layer_refused("cut short", Layer(WHOLE, blob=blob[:len(blob) // 2]))
    damaged = blob[:1000] + bytes([blob[1000] ^ 1]) + blob[1001:]
    layer_refused("gzip stream is damaged|tar is not its diff_id|damaged header", Layer(WHOLE, blob=damaged))
    layer_refused("other bytes follow the end", Layer(WHOLE, blob=blob + b"junk"))
    layer_refused("is not what its digest says|bytes, not", Layer(WHOLE, blob=blob + b"junk", size=len(blob)))
    layer_refused("is not what its digest says|digest", Layer(WHOLE, blob=blob + b"junk", digest_=digest(blob)))
    as_add("other bytes follow the end", blob + b"junk")
    as_context("other bytes follow the end", blob + b"junk")


@case("H077 H078 H129")
def an_end_is_the_end():
    archive(entry("a"), layer="other bytes follow the end", end=END + entry("b"))
    archive(entry("a"), layer="other bytes follow the end", end=bytes(512) + entry("b"))
    archive(entry("a", b"1"), layer={"a": F("1")}, end=END + bytes(10 << 20))
    for cut in range(512, len(WHOLE) - 1024, 512):
        layer_refused("diff_id|cut short", Layer(WHOLE, blob=gzip.compress(WHOLE[:cut])))
        as_add("cut short", WHOLE[:cut])
        as_context("cut short", tar(DOCKERFILE, WHOLE, end=b"")[:1024 + cut])
    same([tar(entry("a", b"1"), end=b"")], {"a": F("1")})
    as_add({"a": F("1")}, gzip.compress(tar(entry("a", b"1"), end=b"")))


@case("H048 H116 H117 H050")
def streams_in_pieces():
    for blob in (members(WHOLE, 100), members(WHOLE, 1 << 20) + gzip.compress(b"")):
        same([Layer(WHOLE, blob=blob)], TREE, run=False)
        as_add(TREE, blob)
    skip = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    pieces = skip + zstd(WHOLE[:700]) + skip + zstd(WHOLE[700:], "--no-content-size") + skip
    same([Layer(WHOLE, blob=pieces, type="tar+zstd")], TREE, run=False)
    as_add(TREE, pieces)
    for blob in (zstd(WHOLE)[:-1] + b"\0", zstd(WHOLE)[:-3], b"\x28\xb5\x2f\xfd\xff" + bytes(40)):
        layer_refused("zstd stream is", Layer(WHOLE, blob=blob, type="tar+zstd"))
    padded = WHOLE + bytes(3 << 20)
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd, lambda d: d):
        as_add(TREE, pack(padded))
        as_add("other bytes follow", pack(padded + b"x"))
        as_context({**TREE}, pack(tar(DOCKERFILE, padded)))
    empty = gzip.compress(b"", mtime=0)
    same([Layer(WHOLE, blob=empty * 200000 + gzip.compress(WHOLE))], TREE, run=False)


@case("H115 H117")
def streams_that_need_much_memory():
    def xz(dictionary):
        """One whose block header asks for another dictionary: the byte of its size, and the header's sum."""
        blob = bytearray(lzma.compress(WHOLE))
        end = 12 + (blob[12] + 1) * 4
        blob[16] = dictionary
        blob[end - 4:end] = zlib.crc32(blob[12:end - 4]).to_bytes(4, "little")
        return bytes(blob)
    same([Layer(WHOLE, blob=zstd(WHOLE, "--ultra", "--long=27"), type="tar+zstd")], TREE, run=False)
    for blob in (zstd(WHOLE, "--ultra", "--long=28"), zstd(WHOLE, "--ultra", "--long=31")):
        layer_refused("zstd stream needs more than 128 MiB of memory", Layer(WHOLE, blob=blob, type="tar+zstd"))
        as_add("zstd stream needs more than 128 MiB of memory", blob)
    as_add(TREE, xz(28))
    as_add("xz stream needs more than 128 MiB of memory", xz(38))


@case("H118 H119 H068")
def types_and_contents_that_differ():
    layer_refused("not gzip|not zstd|media type", Layer(WHOLE, blob=zstd(WHOLE), type="tar+gzip"))
    layer_refused("not gzip|not zstd|media type", Layer(WHOLE, type="tar+zstd"))
    layer_refused("not gzip|not zstd|media type", Layer(WHOLE, blob=lzma.compress(WHOLE), type="tar+gzip"))
    layer_refused("", Layer(WHOLE, blob=lzma.compress(WHOLE), type="tar"))
    layer_refused("", Layer(WHOLE, blob=gzip.compress(gzip.compress(WHOLE))))
    for magic in (b"PK\3\4", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7", b"#mtree\n", b"MSCF"):
        layer_refused("", plain(magic + bytes(1020)))
    for text in (b"", b"\x1f\x8b", b"\x1f\x8b\x08 text", b"BZh9", bytes(1024), b"\xfd7zXZ\0", b"x" * 10):
        (context("FROM scratch\nADD x.tar /d/\n") / "x.tar").write_bytes(text)
        equal(entries_of(accepted("build", "-q", "-o", "-", "context").out), {"d": D(), "d/x.tar": F(text)},
              f"ADD of {text[:20]}")
