"""Where files come from: contexts in all their forms, addresses, repositories, other stages."""
import contextlib, http.server, threading, time
from suite import *


def built(dockerfile, *parts, **how):
    return entries_of(accepted(*EXPORT, context(dockerfile, *parts), **how).out)


def link(name, target):
    return pax(("linkpath", target)) + symlink(name, "")


# --- contexts -------------------------------------------------------------------------------------

@case("H216 H277 H013")
def links_of_a_context_stay_inside():
    parts = (link("abs", canary), link("up", b"../canary"), link("file", canary + b"/f"), link("loop", b"loop"),
             directory("d"), symlink("d/up", "../../canary"), header("pipe", type=b"6", mode=0o644))
    for source in ("abs/", "up/f", "file", "loop", "d/up/f", "abs/f", "../canary/f"):
        refused("not found|no such file|symbolic links|no source files", *EXPORT,
                context(f"FROM scratch\nCOPY {source} /x\n", *parts))
        refused("not found|no such file|symbolic links|no source files", *EXPORT,
                context(f"FROM scratch\nADD {source} /x\n", *parts))
    found = built("FROM scratch\nCOPY . /\n", *parts)
    equal(found["abs"], L(os.fsdecode(canary)), "a link is a link")
    equal(found["pipe"][0], "fifo", "a pipe is a pipe")
    dockerfile = f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}RUN --mount=type=bind,source=%s,target=/m busybox ls /m\n"
    for source in ("abs", "up", "d/up", "../canary", "loop"):
        refused("not found|no such file|symbolic links", *EXPORT, context(dockerfile % source, *parts))


@case("H023")
def ignore_files_that_lead_out():
    (work / "secret").write_text("!nobody\nmay-see-this[\n")
    for name in (".dockerignore", "Dockerfile.dockerignore"):
        for target in (b"../secret", os.fsencode(work / "secret")):
            folder = context("FROM scratch\nCOPY . /\n", entry("f"), link(name, target))
            result = run(*EXPORT, folder)
            check(b"may-see-this" not in result.out + result.err and b"nobody" not in result.err,
                  f"it says what is in {target}")
            check(result.status or "f" in entries_of(result.out), "neither refused nor built")
        folder = context("FROM scratch\nCOPY . /\n", header(name, type=b"6", mode=0o644))
        refused("dockerignore", *EXPORT, folder)
        folder = context("FROM scratch\nCOPY . /\n")
        with open(folder / name, "wb") as f:
            f.truncate(1 << 30)
        refused("dockerignore", *EXPORT, folder, timeout=10)
    os.unlink(work / "secret")


@case("H024 H044")
def a_context_that_breaks_off_leaves_nothing():
    victim = canary + b"/precious"
    for rest in (b"x" * 512, b"x" * 700, entry("x", checksum=7), entry("big", b"1", size=4096)[:600]):
        data = link("Dockerfile", victim) + link("d", canary) + rest
        refused("context", *EXPORT, "-", stdin=data)
        refused("context", *EXPORT, "-", stdin=gzip.compress(data))
    for target in (victim, b"../../../../" + victim, b"/proc/self/environ"):
        refused("Dockerfile", *EXPORT, "-", stdin=tar(link("Dockerfile", target)))
        refused("Dockerfile", *EXPORT, "-f", "x/Dockerfile", "-",
                stdin=tar(link("x", os.path.dirname(target)), entry("Dockerfile", b"FROM scratch\n")))


@case("H025 H026 H059")
def names_that_look_like_paths():
    folder = context("FROM scratch AS ok\nCOPY Dockerfile /f\n")
    for name in ("../../x", "/etc/x", "..", "a" * 300 + "/x", "x:y:z", "-x", "x y", "%2e%2e/x", "x/../y"):
        refused("invalid|reference|tag|unknown flag|name", "build", "-q", "-t", name, folder)
        (folder / "Dockerfile").write_text(f"FROM {name}\n")
        refused("", "build", "-q", folder)
        (folder / "Dockerfile").write_text("FROM scratch AS ok\nCOPY Dockerfile /f\n")
    for stage in ("../x", "a/b", ".x", "-x", "x\\0", "é"):
        (folder / "Dockerfile").write_text(f"FROM scratch AS {stage}\nCOPY Dockerfile /f\n")
        refused("invalid name for build stage|invalid stage name|stage", "build", "-q", folder)
    bind = f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}RUN --mount=type=cache,target=/c,id=%s echo 1 >/c/f\n"
    for name in ("../../canary", "/etc", "..", ".", "a/b", "x" * 300, "%s%n", "\\x1b[31m"):
        accepted("build", "-q", "-", stdin=(bind % name).encode())


@case("H015 H009 H010")
def what_is_written_to_a_mount_is_forgotten():
    dockerfile = (f"FROM oci-layout://{layout(TOOLS)} AS tools\n{SHELL}RUN echo 1 >/stage\n"
                  "FROM tools\n"
                  "RUN --mount=type=bind,target=/c,rw touch /c/x 2>/dev/null; busybox touch /c/x && busybox rm /c/Dockerfile"
                  " && echo 2 >/c/f && test ! -e /c/Dockerfile\n"
                  "RUN --mount=type=bind,from=tools,target=/s,rw echo 2 >/s/stage && busybox rm -rf /s/.t\n"
                  "RUN --mount=type=bind,target=/c test -e /c/Dockerfile && test ! -e /c/x && "
                  "test $(busybox cat /stage) = 1 && ! busybox touch /c/y 2>/dev/null\n")
    folder = context(dockerfile, entry("f", b"1"))
    before = tree(folder)
    found = entries_of(accepted(*EXPORT, folder).out)
    equal(tree(folder), before, "the context")
    check(not any(k in found for k in ("c", "s")), "mount points stay")
    # A mount point that its command exchanged is not removed through the link (H010).
    for i in range(2):
        dockerfile = (f"FROM oci-layout://{layout(TOOLS)}\n{SHELL}RUN --mount=type=tmpfs,target=/t/empty "
                      f"busybox umount /t/empty; busybox rm -rf /t; busybox ln -s {os.fsdecode(canary)} /t; exit {i}\n")
        run("build", "-q", "-", stdin=dockerfile.encode())


@case("H019 H019")
def what_a_step_leaves_running_is_gone():
    race = ("(while :; do busybox rm -rf /d; busybox ln -s / /d; busybox rm /d; busybox mkdir /d; done) "
            ">/dev/null 2>&1 </dev/null &")
    dockerfile = (f"FROM oci-layout://{layout(TOOLS)} AS racing\n{SHELL}"
                  f"RUN busybox setsid busybox sh -c '{race}'; busybox mkdir -p /d; true\nCOPY Dockerfile /d/in\n"
                  f"FROM oci-layout://{layout(TOOLS, name='second')}\nCOPY --from=racing /d /e\n")
    for _ in range(3):
        run(*EXPORT, "--no-cache", context(dockerfile))


@case("H013")
def links_of_a_stage_stay_inside():
    low = tar(symlink("root", "/"), pax(("linkpath", canary)), symlink("out", ""), symlink("up", "../../.."),
              symlink("a", "b"), symlink("b", "a"), symlink("chain", "root/root/root/f"), entry("f", b"in"))
    base = f"FROM oci-layout://{layout(low, TOOLS)} AS low\nFROM scratch\n"
    equal(built(base + "COPY --from=low /root/f /x\nCOPY --from=low chain /y\nCOPY --from=low /up/up/f /z\n"),
          {n: F("in") for n in "xyz"}, "copied")
    for source in ("/out/f", "/out", "/a", "/a/f", "/b/"):
        refused("not found|symbolic links|no such", *EXPORT, context(f"{base}COPY --from=low {source} /x\n"))
    bind = f"FROM oci-layout://{layout(low, TOOLS)} AS low\nFROM low\n{SHELL}"
    for source, good in (("/root", True), ("/up", True), ("/out", False), ("/a", False)):
        dockerfile = bind + f"RUN --mount=type=bind,from=low,source={source},target=/m test -e /m/f && test ! -e /m/etc/shadow\n"
        (accepted if good else lambda *a, **k: refused("", *a, **k))("build", "-q", "-", stdin=dockerfile.encode())


# --- addresses ------------------------------------------------------------------------------------

@contextlib.contextmanager
def web(answer):
    """A server on loopback: ANSWER(path) is (status, headers, body)."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer(self.path)
            self.send_response(status)
            for key, value in headers:
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                with contextlib.suppress(OSError):
                    for part in body if not isinstance(body, bytes) else [body]:
                        self.wfile.write(part)
        do_HEAD = do_GET

        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@case("H028")
def the_name_of_a_download():
    headers = [("Content-Disposition", 'attachment; filename="../../etc/cron.d/x"'),
               ("Content-Disposition", "attachment; filename=/etc/x"), ("Content-Length", "1")]
    with web(lambda path: (200, headers, b"1")) as url:
        found = built(f"FROM scratch\nADD {url}/a/name?q=/x#y /d/\n")
        equal(found, {"d": D(), "d/name": F("1", 0o600)}, "downloaded")
        for path in ("/a%2f..%2f..%2fx", "/..%2fx", "/%2e%2e", "/a%00b", "/x%0ay", "/" + "n" * 300, "/a/..", "/.."):
            result = run(*EXPORT, context(f"FROM scratch\nADD {url}{path} /d/\n"))
            if result.status == 0:
                names = sorted(entries_of(result.out))
                check(len(names) == 2 and names[0] == "d" and names[1].startswith("d/") and
                      names[1].count("/") == 1 and ".." not in names[1].split("/"), f"{path}: {names}")
            else:
                check("ERROR" in result.text, result.text)


@case("H069 H070 H115")
def downloads_without_an_end():
    endless = lambda: (bytes(range(256)) * 256 for _ in iter(int, 1))
    with small_disk(48) as store:
        with web(lambda path: (200, [], endless())) as url:
            refused("disk is almost full", "build", "-q", context(f"FROM scratch\nADD {url}/x /\n"), store=store)
            refused("disk is almost full", "build", "-q", f"{url}/x", store=store)
        check(room(store) > 40 << 20, "what came stays")
    body = b"1" * 1000
    for length, sum_ in ((1000, digest(b"other")), (2000, digest(body)), (1000, digest(body[:999]))):
        with web(lambda path: (200, [("Content-Length", str(length))], body)) as url:
            refused("digest mismatch|closed|transfer|end of file|bytes", "build", "-q",
                    context(f"FROM scratch\nADD --checksum={sum_} {url}/x /\n"))


# --- repositories ---------------------------------------------------------------------------------

def git(folder, *arguments, **how):
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@x", f"GIT_{who}_DATE": "2000-01-01T00:00:00Z"}
    return subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, **how).stdout


def repository(name, *parts, modules=""):
    """A bare repository below work/git, which a plain web server can serve."""
    folder = context("FROM scratch\nCOPY . /\n", *parts, name="checkout")
    if modules:
        (folder / ".gitmodules").write_text(modules)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    if modules:
        for path in re.findall("path = (.*)", modules):
            git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{path}", input=b"") \
                if ".." not in path and ".git" not in path else None
    git(folder, "commit", "-q", "-m", "x")
    bare = work / "git" / name
    bare.parent.mkdir(exist_ok=True)
    shutil.rmtree(bare, ignore_errors=True)
    git(work, "clone", "-q", "--bare", str(folder), str(bare))
    git(bare, "update-server-info")
    shutil.rmtree(folder)


def served(path):
    file = work / "git" / path.split("?")[0].lstrip("/")
    return (200, [], file.read_bytes()) if file.is_file() else (404, [], b"")


@case("H027 H030 H216")
def folders_of_a_repository():
    repository("r.git", directory("d"), entry("d/Dockerfile", b"FROM scratch\nCOPY . /\n"), entry("d/f", b"1"),
               link("out", canary), symlink("up", "../.."), symlink("d/evil", "../../../canary/f"), entry("file"))
    with web(served) as url:
        found = entries_of(accepted(*EXPORT, f"{url}/r.git#main:d").out)
        equal(found.pop("evil"), L("../../../canary/f"), "a link is a link")
        equal(sorted(found), ["Dockerfile", "f"], "the folder")
        found = built(f"FROM scratch\nADD {url}/r.git#main:d /x/\nADD --keep-git-dir=false {url}/r.git /y/\n")
        check("y/.git" not in found and found["x/f"] == F("1"), "added")
        for part in ("../..", "/etc", "..", "out", "up", "up/tmp", "file", "gone", ".git", "d/../../x", "d/.git"):
            refused("git subdir", *EXPORT, f"{url}/r.git#main:{part}", times=1)
        refused("git subdir", *EXPORT, context(f"FROM scratch\nADD {url}/r.git#main:out /x/\n"))


@case("H029")
def words_that_git_could_misunderstand():
    repository("r.git", entry("f", b"1"))
    mark = work / "touched"
    with web(served) as url:
        for ref in (f"--upload-pack=touch {mark}", "-x", "--exec=x", "a b", "a..b", "a:b:c", "main^", "x~1", "@{1}",
                    "x\\y", "*", "refs/heads/*:refs/heads/*"):
            refused("git (ref|subdir)|does not contain ref", *EXPORT, f"{url}/r.git#{ref}")
        for place in ("ssh://-oProxyCommand=touch%20x/r.git", "ssh://-oProxyCommand=x@127.0.0.1/r.git",
                      "-oProxyCommand=x@host:r.git", "git://-x/r.git", "git@-x:r.git", "ssh://me@-x/r.git"):
            refused("names no host|unknown|strange|not found|no such", *EXPORT, "--", place)
        for place in (f"ext::sh -c 'touch {mark}'", f"file://{work}/git/r.git", f"fd::7", "ftp://127.0.0.1/r.git",
                      f"{url}/r.git?x=y", f"{url}/r.git?ref=a&branch=b", f"{url}/r.git?checksum=zz"):
            refused("", *EXPORT, place)
        hostile = {"GIT_DIR": "/nowhere", "GIT_SSH_COMMAND": f"touch {mark}", "GIT_PROXY_COMMAND": f"touch {mark}",
                   "GIT_EXEC_PATH": "/nowhere", "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor=touch {mark}'",
                   "GIT_TEMPLATE_DIR": "/etc", "GIT_INDEX_FILE": "/nowhere/x"}
        check("f" in entries_of(accepted(*EXPORT, f"{url}/r.git", env=hostile).out), "built")
    check(not mark.exists(), "something was executed")


@case("H030")
def submodules_and_attributes():
    mark = work / "touched"
    attributes = entry(".gitattributes", b"* filter=evil diff=evil merge=evil ident export-subst\n")
    config = entry("hooks/post-checkout", f"#!/bin/sh\ntouch {mark}\n".encode(), mode=0o755)
    repository("plain.git", attributes, config, entry(".gitconfig", f"[core]\n fsmonitor = touch {mark}\n".encode()))
    with web(served) as url:
        check("hooks" in entries_of(accepted(*EXPORT, f"{url}/plain.git").out), "built")
        for path, place in (("sub", f"ext::sh -c touch% {mark}"), ("sub", f"file://{work}/git/plain.git"), ("sub", f"{work}/git/plain.git"),
                            ("sub", "-u./x"), ("sub", "ssh://-oProxyCommand=x/x")):
            repository("sub.git", entry("f"), modules=f'[submodule "a"]\n\tpath = {path}\n\turl = {place}\n')
            refused("git submodule|transport|not allowed|disallowed", *EXPORT, f"{url}/sub.git")
        for path in ("../x", ".git/hooks", "a/../../x"):
            repository("sub.git", entry("f"), modules=f'[submodule "../x"]\n\tpath = {path}\n\turl = {url}/plain.git\n'
                       "\tupdate = !touch x\n")
            run(*EXPORT, f"{url}/sub.git")
    check(not mark.exists() and not (work / "x").exists(), "something was executed")
