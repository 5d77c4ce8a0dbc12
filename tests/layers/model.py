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
        for other in [p for p in self.node if p.startswith(path + "/")]:
            del self.node[other]

    def drop(self, path):
        self.node.pop(path, None)
        self.drop_below(path)

    def apply(self, data):
        """Deletions first: they are about lower layers only."""
        archive = tarfile.open(fileobj=io.BytesIO(data))
        members = archive.getmembers()
        for m in members:
            parent, _, last = m.name.rpartition("/")
            if last == ".wh..wh..opq":
                self.drop_below(parent)
            elif last.startswith(".wh."):
                self.drop((parent + "/" if parent else "") + last[4:])
        for m in members:
            self.make_parents(m.name)
            if not m.name.rpartition("/")[2].startswith(".wh."):
                self.add(m, archive.extractfile(m).read() if m.isreg() else b"")

    def make_parents(self, path):
        parts = path.split("/")
        for i in range(1, len(parts)):
            parent = "/".join(parts[:i])
            if self.node.get(parent, ("",))[0] != "dir":
                self.drop(parent)
                self.node[parent] = ("dir", 0o755, 0, b"")

    def add(self, m, content):
        old = self.node.get(m.name)
        if m.isdir():
            if old and old[0] != "dir":
                self.drop(m.name)
            self.node[m.name] = ("dir", m.mode, m.uid, b"")
            return
        self.drop(m.name)
        if m.issym():
            self.node[m.name] = ("link", 0o777, m.uid, m.linkname.encode())
        elif m.islnk():
            self.node[m.name] = self.node[m.linkname]
        else:
            self.node[m.name] = ("file", m.mode, m.uid, content)

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


def random_layer(rng, lower):
    """Mostly sane: entries in any order and more than once, whiteouts, opaque marks, hard links."""
    parts, kind = [], {}
    paths = ["/".join(rng.choice("abc") for _ in range(rng.randint(1, 4))) for _ in range(12)]

    def parents_are_dirs(path):
        parts = path.split("/")
        for i in range(1, len(parts)):
            if kind.get("/".join(parts[:i]), "dir") != "dir":
                return False
        return True

    def forget_below(path):
        for other in [p for p in kind if p.startswith(path + "/")]:
            del kind[other]

    for path in rng.sample(paths, rng.randint(1, 12)):
        choice = rng.random()
        mode, uid = rng.choice((0o755, 0o711, 0o1777)), rng.choice((0, 0, 7))
        if choice < 0.15:
            parent, _, last = path.rpartition("/")
            if parents_are_dirs(path):
                parts.append(entry((parent + "/" if parent else "") + ".wh." + last))
            continue
        if choice < 0.22:
            if parents_are_dirs(path + "/x"):
                parts.append(entry(path + "/.wh..wh..opq"))
                parts.append(directory(path, mode=mode, uid=uid))
                kind[path] = "dir"
            continue
        if not parents_are_dirs(path):
            continue
        if choice < 0.45:
            if kind.get(path) != "dir":
                forget_below(path)
            parts.append(directory(path, mode=mode, uid=uid))
            kind[path] = "dir"
        else:
            forget_below(path)
            files = [p for p in kind if kind[p] == "file" and p != path and parents_are_dirs(p)]
            if choice < 0.55:
                parts.append(symlink(path, rng.choice(("/a", "../..", "b/c")), uid=uid))
                kind[path] = "link"
            elif choice < 0.7 and files:
                parts.append(hardlink(path, rng.choice(files)))
                kind[path] = "file"
            else:
                parts.append(entry(path, rng.randbytes(rng.choice((0, 1, 600))), mode=mode, uid=uid))
                kind[path] = "file"
            for i in range(1, path.count("/") + 1):
                kind.setdefault("/".join(path.split("/")[:i]), "dir")
    return tar(*parts)


def random_stack(rng):
    return [random_layer(rng, None) for _ in range(rng.randint(1, 5))]
