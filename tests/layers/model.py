"""A stack of layers, as slowly and plainly as possible: a dict from path to what is there."""
import io
import os
import stat
import tarfile

from rawtar import *


class Model:
    def __init__(self):
        self.node = {}

    def drop_below(self, path):
        for other in [p for p in self.node if not path or p.startswith(path + "/")]:
            del self.node[other]

    def drop(self, path):
        self.node.pop(path, None)
        self.drop_below(path)

    def apply(self, data):
        """Deletions first: they are about lower layers only."""
        archive = tarfile.open(fileobj=io.BytesIO(data))
        own = self.own([m.name for m in archive.getmembers()])
        members = [(m, self.place(m.name, own)) for m in archive.getmembers()]
        for m, name in members:
            parent, _, last = name.rpartition("/")
            if last == ".wh..wh..opq":
                self.drop_below(parent)
            elif last.startswith(".wh."):
                self.drop((parent + "/" if parent else "") + last[4:])
        for m, name in members:
            self.make_parents(name)
            if not name.rpartition("/")[2].startswith(".wh."):
                self.add(m, name, archive.extractfile(m).read() if m.isreg() else b"", own)

    def own(self, names):
        """What a layer of these NAMES says itself: links of the layers below do not count there."""
        own = set()
        for name in names:
            parent, _, last = name.rpartition("/")
            if last == ".wh..wh..opq":
                own |= {p for p in self.node if not parent or p.startswith(parent + "/")}
            elif last.startswith(".wh."):
                own.add((parent + "/" if parent else "") + last[4:])
            else:
                own.add(name)
        return own

    def place(self, path, own=(), depth=0):
        """PATH with links of the layers below followed, but for its last part."""
        at = ""
        parts = path.split("/")
        for i, part in enumerate(parts[:-1]):
            at = (at + "/" if at else "") + part
            node = self.node.get(at, ("",))
            if node[0] == "link" and depth < 40 and "/".join(parts[:i + 1]) not in own:
                target = os.path.normpath("/" + os.path.join(os.path.dirname(at), os.fsdecode(node[3])))
                at = self.place(target.strip("/") + "/x", (), depth + 1)[:-2]
        return (at + "/" if at else "") + parts[-1]

    def make_parents(self, path):
        parts = path.split("/")
        for i in range(1, len(parts)):
            parent = "/".join(parts[:i])
            if self.node.get(parent, ("",))[0] != "dir":
                self.drop(parent)
                self.node[parent] = ("dir", 0o755, 0, b"")

    def add(self, m, name, content, own):
        old = self.node.get(name)
        if m.isdir():
            if old and old[0] != "dir":
                self.drop(name)
            self.node[name] = ("dir", m.mode, m.uid, b"")
            return
        if m.islnk():
            content = self.node[self.place(m.linkname, own)]
        self.drop(name)
        if m.issym():
            self.node[name] = ("link", 0o777, m.uid, m.linkname.encode())
        elif m.islnk():
            self.node[name] = content
        else:
            self.node[name] = ("file", m.mode, m.uid, content)

    def tree(self):
        return self.node


def tree_of(root):
    found = {}
    for where, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(where, name)
            s = os.lstat(path)
            mode, key = stat.S_IMODE(s.st_mode), os.path.relpath(path, root)
            if stat.S_ISLNK(s.st_mode):
                found[key] = ("link", 0o777, s.st_uid, os.readlink(path).encode())
            elif stat.S_ISDIR(s.st_mode):
                found[key] = ("dir", mode, s.st_uid, b"")
            else:
                found[key] = ("file", mode, s.st_uid, open(path, "rb").read())
    return found


class LayerMaker:
    """Parts of a layer, each of which could be unpacked after the one before."""
    def __init__(self, rng, lower):
        self.rng, self.lower = rng, lower
        self.parts, self.kind = [], {}

    def look(self):
        return dict(mode=self.rng.choice((0o755, 0o711, 0o1777)), uid=self.rng.choice((0, 0, 7)))

    def parents_are_dirs(self, path):
        parts = path.split("/")
        for i in range(1, len(parts)):
            parent = "/".join(parts[:i])
            # What lies below a link of a lower layer is about another place: see sane_layer.
            if self.kind.get(parent, "dir") != "dir" or self.lower.get(parent, ("",))[0] == "link":
                return False
        return True

    def note(self, path, kind):
        if kind != "dir" or self.kind.get(path) != "dir":
            for other in [p for p in self.kind if p.startswith(path + "/")]:
                del self.kind[other]
        self.kind[path] = kind
        for i in range(1, path.count("/") + 1):
            self.kind.setdefault("/".join(path.split("/")[:i]), "dir")

    def whiteout(self, path):
        parent, _, last = path.rpartition("/")
        self.parts.append(entry((parent + "/" if parent else "") + ".wh." + last))

    def directory(self, path):
        self.parts.append(directory(path, **self.look()))
        self.note(path, "dir")

    def opaque(self, path):
        self.parts.append(entry(path + "/.wh..wh..opq"))
        self.directory(path)

    def symlink(self, path):
        self.parts.append(symlink(path, self.rng.choice(("/a", "../..", "b/c")), uid=self.look()["uid"]))
        self.note(path, "link")

    def hardlink(self, path):
        files = [p for p in self.kind if self.kind[p] == "file" and p != path and
                 not p.startswith(path + "/") and self.parents_are_dirs(p)]
        if files:
            self.parts.append(hardlink(path, self.rng.choice(files)))
            self.note(path, "file")

    def file(self, path):
        self.parts.append(entry(path, self.rng.randbytes(self.rng.choice((0, 1, 600))), **self.look()))
        self.note(path, "file")


def some_path(rng):
    return "/".join(rng.choice("abc") for _ in range(rng.randint(1, 4)))


def wild_layer(rng, lower):
    """Mostly sane: entries in any order and more than once, whiteouts, opaque marks, hard links."""
    maker = LayerMaker(rng, lower)
    if rng.random() < 0.05:
        maker.parts.append(entry(".wh..wh..opq"))
    for _ in range(rng.randint(1, 12)):
        path = some_path(rng)
        make = rng.choices((maker.whiteout, maker.opaque, maker.directory, maker.symlink, maker.hardlink,
                            maker.file), (15, 7, 23, 10, 15, 30))[0]
        if maker.parents_are_dirs(path + "/x" if make == maker.opaque else path):
            make(path)
    return tar(*maker.parts)


def sane_layer(rng, lower):
    """What every reader agrees about: each path once, folders there before what is in them, perhaps
    through a link of a lower layer; deletions of what is there, and first."""
    maker = LayerMaker(rng, lower)
    model = Model()
    model.node = dict(lower)
    kind = lambda path: model.node.get(path, ("",))[0]
    for path in sorted(rng.sample(sorted(lower), min(len(lower), rng.choice((0, 0, 1, 2))))):
        if kind(path):
            maker.whiteout(path)
            model.drop(path)
    called = {}
    for path in dict.fromkeys(some_path(rng) for _ in range(rng.randint(1, 12))):
        place = model.place(path)
        parent = place.rpartition("/")[0]
        above = [path.rsplit("/", i)[0] for i in range(1, path.count("/") + 1)]
        if (parent and kind(parent) != "dir") or kind(place) or any(maker.kind.get(p) == "link" for p in above):
            continue
        # No directory by two names in one layer.
        if any(called.setdefault(model.place(p + "/x"), p) != p for p in [path, *above]):
            continue
        count = len(maker.parts)
        rng.choices((maker.directory, maker.symlink, maker.hardlink, maker.file), (3, 1, 2, 3))[0](path)
        if len(maker.parts) > count:
            model.node[place] = ("dir" if maker.kind[path] == "dir" else "file",)
    return tar(*maker.parts)


def random_stack(rng, make=wild_layer):
    model, stack = Model(), []
    for _ in range(rng.randint(1, 5)):
        stack.append(make(rng, model.node))
        model.apply(stack[-1])
    return stack, model
