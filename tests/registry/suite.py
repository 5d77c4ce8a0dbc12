"""What the cases share: a sentence for each, the program under test, places, certificates."""
import base64, contextlib, json, os, pathlib, re, resource, ssl, subprocess, tempfile, threading
from fake_registry import *

CLIENT = os.path.join(os.environ["OUT"], "tests", "registry_client")
SANITIZED = b"__asan_init" in open(CLIENT, "rb").read()  # then it uses more memory
cases = []
_local = threading.local()

# What the client must never show, whatever goes wrong.
SECRETS = ("s3cret", "c2VjcmV0", base64.b64encode(b"user:s3cret").decode(), "X-Amz-Signature", "refresh-me")


def case(sentence):
    def add(function):
        cases.append((sentence, function))
        return function
    return add


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(found, wanted, what=""):
    check(found == wanted, f"{what}: {found!r}, not {wanted!r}")


class Result:
    def __init__(self, status, text, rss):
        self.status, self.text, self.rss = status, text, rss

    def ok(self):
        check(self.status == 0, f"failed: {self.text}")
        return self

    def fails(self, *words):
        check(self.status == 1, f"status {self.status}: {self.text}")
        for w in words:
            check(w in self.text, f"{self.text!r} does not say {w!r}")
        return self

    def says(self, *words):
        for w in words:
            check(w in self.text, f"{self.text!r} does not say {w!r}")
        return self


def place():
    """This case's folder: HOME, config.json, stores, images."""
    return _local.place


@contextlib.contextmanager
def new_place():
    with tempfile.TemporaryDirectory(prefix="cairn-registry-") as d:
        _local.place, _local.open = pathlib.Path(d), []
        try:
            yield
        finally:
            for r in _local.open:
                r.close()


def registry(*arguments, **more):
    r = Registry(*arguments, **more)
    _local.open.append(r)
    return r


def config(**fields):
    (place() / "config.json").write_text(json.dumps(fields))


def login_for(*registries, user="user", password="s3cret"):
    config(auths={r.name: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()} for r in registries})


def client(*arguments, limit=None, **environment):
    """LIMIT: of its descriptors."""
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    env.update(HOME=str(place()), DOCKER_CONFIG=str(place()), CLIENT_PAUSE_MS="4", CLIENT_STALL="10",
               PATH=f"{place()}:{os.environ['PATH']}")
    env.update({k: str(v) for k, v in environment.items()})
    # A file rather than a pipe, so that the process can be waited for with its use of memory.
    with tempfile.TemporaryFile(dir=place()) as out:
        few = ["prlimit", f"--nofile={limit}"] if limit else []
        p = subprocess.Popen([*few, CLIENT, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        timer = threading.Timer(25, p.kill)
        timer.start()
        _, status, usage = os.wait4(p.pid, 0)
        timer.cancel()
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="backslashreplace")
    for secret in SECRETS:
        check(secret not in text, f"it tells a secret: {text}")
    check("Sanitizer" not in text and "runtime error" not in text, text)
    return Result(p.returncode, text, usage.ru_maxrss)


def pull(ref, platform="linux/amd64", **environment):
    return client("pull", ref, platform, place() / "store", **environment)


def stored():
    return sorted("sha256:" + p.name for p in place().glob("store/blobs/sha256/*"))


def kept_nothing():
    equal(stored(), [], "blobs in the store")
    equal([str(p) for p in place().glob("store/tmp/*/*")], [], "temporary files")


def image(*layers, **more):
    return Image(list(layers) or [b"one" * 1000, b"two" * 50000], **more)


def push(ref, img, lender=None, **environment):
    folder = place() / "image"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_bytes(img.manifest)
    for b in img.layers + [img.config]:
        (folder / digest(b)[7:]).write_bytes(b)
    return client("push", ref, folder, *([lender] if lender else []), **environment)


def helper(name, script):
    p = place() / f"docker-credential-{name}"
    p.write_text("#!/bin/sh\n" + script)
    p.chmod(0o755)


def first(n, *parts, method=None):
    """A condition: the first N requests whose URL has one of PARTS."""
    left = {p: n for p in parts}
    lock = threading.Lock()

    def is_one(q):
        with lock:
            for p in parts:
                if p in q.url and method in (None, q.method) and left[p] > 0:
                    left[p] -= 1
                    return True
        return False
    return is_one


# --- certificates: one CA, one server certificate for 127.0.0.1 and localhost ---

_tls = tempfile.TemporaryDirectory(prefix="cairn-registry-tls-")
TLS = pathlib.Path(_tls.name)


def make_certificates():
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=TLS, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*new, "-x509", "-days", "30", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.crt")
    openssl(*new, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (TLS / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for days, name in (("30", "server.crt"), ("-1", "expired.crt")):
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", days, "-extfile", "san", "-out", name)


def tls(certificate="server.crt", **attributes):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / certificate, TLS / "server.key")
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def trust(*registries):
    for r in registries:
        d = place() / "certs.d" / r.name
        d.mkdir(parents=True, exist_ok=True)
        (d / "ca.crt").write_bytes((TLS / "ca.crt").read_bytes())
