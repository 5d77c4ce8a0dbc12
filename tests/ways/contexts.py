"""Folders to build in every way: contexts.py OUT CASES

OUT/NAME gets a Dockerfile and its context for each file of dockerfiles/, and for each case that the
file `recorded` lists, if there is a folder CASES. A case is one text, cut into sections by lines
`--- SECTION`. Each builds FROM base.
"""
import pathlib, subprocess, sys

here = pathlib.Path(__file__).resolve().parent


def sections(text):
    name, lines = "comment", []
    for line in text.split("\n"):
        if line.startswith("--- "):
            yield name, "".join(l + "\n" for l in lines)
            name, lines = line[4:].rstrip(), []
        else:
            lines.append(line)
    yield name, "\n".join(lines)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def recorded(folder, text):
    for name, body in sections(text):
        if name == "setup":
            subprocess.run(["sh", "-eu", "-c", body], cwd=folder, check=True)
        elif name.startswith("file "):
            write(folder / name[5:], body)
        elif name == "Dockerfile":
            write(folder / name, body.replace("localhost:5001/busybox", "base"))


out, cases = map(pathlib.Path, sys.argv[1:3])
for own in sorted((here / "dockerfiles").iterdir()):
    write(out / own.name / "Dockerfile", own.read_text())
for name in (here / "recorded").read_text().split() if cases.is_dir() else []:
    (out / name).mkdir(parents=True)
    recorded(out / name, (cases / f"{name}.case").read_text("utf-8", "surrogateescape"))
