"""Debian's docker-registry: plain, with TLS, with passwords."""
import contextlib, select, shutil, urllib.request
from suite import *


@contextlib.contextmanager
def docker_registry(tls_too=False, password=False):
    """Started on a port that is free; gives its host:port; stopped by its own id."""
    folder = place() / "registry"
    folder.mkdir()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{s.getsockname()[1]}"
    lines = ["version: 0.1", "log: {level: info}", f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}",
             "http:", f"  addr: {name}"]
    if tls_too:
        lines += [f"  tls: {{certificate: {TLS}/server.crt, key: {TLS}/server.key}}"]
    if password:
        users = subprocess.run(["htpasswd", "-nbB", "user", "s3cret"], stdout=subprocess.PIPE, check=True).stdout
        (folder / "htpasswd").write_bytes(users)
        lines += [f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}"]
    (folder / "config.yml").write_text("\n".join(lines) + "\n")
    p = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        text = b""
        while b"listening on" not in text:
            check(select.select([p.stderr], [], [], 10)[0], f"docker-registry does not start: {text}")
            more = os.read(p.stderr.fileno(), 65536)
            check(more, f"docker-registry ended: {text}")
            text += more
        threading.Thread(target=lambda: shutil.copyfileobj(p.stderr, open(os.devnull, "wb")), daemon=True).start()
        yield name
    finally:
        p.terminate()
        p.wait()


def there_and_back(name):
    img = image(os.urandom(3 << 20), os.urandom(1 << 20), os.urandom(5))
    push(f"{name}/a/b:1", img).ok().says("sent", f"pushed {img.digest}")
    push(f"{name}/a/b:2", img).ok().says("exists")
    push(f"{name}/c/d:1", img, f"{name}/a/b").ok().says("mounted")
    for ref in ("a/b:1", "a/b:2", "c/d:1", f"a/b@{img.digest}"):
        client("resolve", f"{name}/{ref}", "linux/amd64").ok().says(img.digest)
    client("digest", f"{name}/a/b:1").ok().says(img.digest)
    pull(f"{name}/c/d:1").ok()
    equal(stored(), sorted(map(digest, img.layers)))


@case("docker-registry, plain")
def _():
    with docker_registry() as name:
        there_and_back(name)
        pull(f"{name}/no/such:1").fails("404")


@case("docker-registry, with TLS")
def _():
    with docker_registry(tls_too=True) as name:
        pull(f"{name}/a/b:1").fails("certificate")
        d = place() / "certs.d" / name
        d.mkdir(parents=True)
        shutil.copy(TLS / "ca.crt", d / "ca.crt")
        there_and_back(name)


@case("docker-registry, with TLS and a CA that the environment names")
def _():
    with docker_registry(tls_too=True) as name:
        pull(f"{name}/a/b:1", SSL_CERT_FILE=TLS / "ca.crt").fails("404")


@case("docker-registry, with passwords")
def _():
    with docker_registry(password=True) as name:
        push(f"{name}/a/b:1", image()).fails("401")
        client("login", name, "user", "wrong").fails("401")
        client("login", name, "user", "s3cret").ok()
        there_and_back(name)
        client("logout", name).ok()
        pull(f"{name}/a/b:1").fails("401")
