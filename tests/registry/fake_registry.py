"""A registry for tests: in memory, on loopback, and as badly behaved as a test asks for.

    r = Registry()                      it listens already, on a port of its own: r.name
    r.hook = lambda q: ...              sees each request first; answers it and returns True, or not
    r.log                               every request, in order: method, path, headers, sent
    r.close()

Without a hook it does what the distribution-spec says.
"""
import base64, hashlib, http.server, json, re, socket, threading, urllib.parse

OCI = "application/vnd.oci.image."
INDEX, MANIFEST, CONFIG = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """A manifest with its blobs; layers are bytes, not tars: nobody unpacks them here."""
    def __init__(self, layers, arch="amd64", config=None, manifest=None):
        self.layers = layers
        self.config = json.dumps(config if config is not None else {
            "architecture": arch, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(b"tar of " + l) for l in layers]}}).encode()
        self.document = {"schemaVersion": 2, "mediaType": MANIFEST,
                         "config": describe(self.config, CONFIG),
                         "layers": [describe(l, LAYER) for l in layers], **(manifest or {})}
        self.manifest = json.dumps(self.document).encode()
        self.digest = digest(self.manifest)


def describe(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


class Request:
    """One request, and the ways to answer it."""
    def __init__(self, handler):
        self.handler, self.method = handler, handler.command
        self.url = handler.path
        self.path, _, self.query = handler.path.partition("?")
        self.headers = handler.headers
        self.authorization = handler.headers.get("Authorization")
        self.body = None

    def __repr__(self):
        return f"{self.method} {self.url}"

    def read(self):
        """The body; None when the client hangs up before all of it came."""
        if self.body is None and self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self.read_chunks()
        elif self.body is None:
            size = int(self.headers.get("Content-Length") or 0)
            self.body = self.handler.rfile.read(size)
            if len(self.body) != size:
                self.body = None
        return self.body

    def read_chunks(self):
        body, f = b"", self.handler.rfile
        while line := f.readline():
            chunk = f.read(int(line, 16))
            f.readline()
            if not chunk:
                return body
            body += chunk
        return None

    def answer(self, status, body=b"", headers=None, length=None):
        h = self.handler
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        if self.method in ("PUT", "POST", "PATCH") and self.body is None and self.read() is None:
            h.close_connection = True
        h.send_response(status)
        for name, value in (headers or {}).items():
            for one in value if isinstance(value, list) else [value]:
                h.send_header(name, one)
        h.send_header("Content-Length", str(len(body) if length is None else length))
        h.end_headers()
        if self.method != "HEAD":
            h.wfile.write(body)
        return True

    def error(self, status, code, message="", headers=None):
        return self.answer(status, {"errors": [{"code": code, "message": message}]}, headers)

    def cut(self, data, status=200, length=None, headers=None):
        """Promise LENGTH bytes, send DATA, hang up."""
        self.answer(status, data, headers, length=length)
        return self.reset()

    def reset(self):
        h = self.handler
        h.wfile.flush()
        h.close_connection = True
        h.connection.shutdown(socket.SHUT_RDWR)
        return True

    def raw(self, data):
        self.handler.wfile.write(data)
        return self.reset()

    def endless(self, head, piece):
        """Until the client has had enough."""
        try:
            self.handler.wfile.write(head)
            while True:
                self.handler.wfile.write(piece)
        except OSError:
            self.handler.close_connection = True
        return True

    def stall(self, data, length):
        """Send DATA of LENGTH bytes, then nothing until the client goes away."""
        self.answer(200, data, length=length)
        self.handler.connection.settimeout(20)
        try:
            self.handler.rfile.read(1)
        except OSError:
            pass
        self.handler.close_connection = True
        return True


class Registry:
    def __init__(self, host="127.0.0.1", tls=None, basic=None, bearer=None):
        """BASIC is (user, password); BEARER is a Tokens."""
        self.blobs, self.manifests, self.uploads, self.log = {}, {}, {}, []
        self.basic, self.bearer, self.hook = basic, bearer, None
        self.lock, self.count = threading.RLock(), 0
        self.connections, self.greet = set(), None
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def handle_any(self):
                q = Request(self)
                with registry.lock:
                    registry.log.append(q)
                try:
                    (registry.hook and registry.hook(q)) or registry.serve(q)
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True

            def setup(self):
                if registry.greet:
                    registry.greet(self.request)
                if tls:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                super().setup()
                with registry.lock:
                    registry.connections.add(self.connection)

            def finish(self):
                with registry.lock:
                    registry.connections.discard(self.connection)
                super().finish()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass

        Server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listen = lambda port: Server((host, port), Handler)
        self.port = 0
        self.open()
        self.name = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url = f"http{'s' if tls else ''}://{self.name}"

    def open(self):
        self.server = self.listen(self.port)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Nobody listens any more, and nobody who was connected is answered."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for c in self.connections:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def add(self, repository, tag, image):
        for b in image.layers + [image.config]:
            self.blobs[digest(b)] = b
        self.add_document(repository, tag, image.manifest, MANIFEST)

    def add_document(self, repository, tag, data, media_type):
        for ref in (tag, digest(data)):
            self.manifests[repository, ref] = (media_type, data)

    def seen(self, method=None, part=""):
        return [q for q in list(self.log) if method in (None, q.method) and part in q.url]

    # --- authorization ---

    def challenge(self, q):
        """The challenge for Q, or None when it may pass."""
        if self.basic:
            want = "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()
            return None if q.authorization == want else 'Basic realm="fake"'
        if self.bearer:
            m = re.match(r"/v2/(.+)/(manifests|blobs)/", q.path)
            action = "pull" if q.method in ("GET", "HEAD") else "pull,push"
            scope = f"repository:{m[1]}:{action}" if m else ""
            if self.bearer.allows(q.authorization, scope):
                return None
            return f'Bearer realm="{self.bearer.url(self)}",service="fake"' + (f',scope="{scope}"' if scope else "")
        return None

    # --- what the specification says ---

    def serve(self, q):
        if self.bearer and q.path == "/token":
            return self.bearer.serve(q)
        challenge = self.challenge(q)
        if challenge:
            return q.error(401, "UNAUTHORIZED", "who are you?", {"WWW-Authenticate": challenge})
        if q.path == "/v2/":
            return q.answer(200, {})
        m = re.fullmatch(r"/v2/(.+)/(manifests|blobs/uploads|blobs)/(.*)", q.path)
        if not m:
            return q.error(404, "NAME_UNKNOWN", "no such place")
        part = {"manifests": self.serve_manifests, "blobs": self.serve_blobs, "blobs/uploads": self.serve_uploads}
        return part[m[2]](q, m[1], m[3])

    def serve_manifests(self, q, repository, ref):
        if q.method == "PUT":
            return self.put_manifest(q, repository, ref)
        found = self.manifests.get((repository, ref))
        if not found:
            return q.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return q.answer(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest(found[1])})

    def serve_blobs(self, q, repository, d):
        data = self.blobs.get(d)
        if data is None:
            return q.error(404, "BLOB_UNKNOWN", "no such blob")
        m = re.fullmatch(r"bytes=(\d+)-", q.headers.get("Range") or "")
        if m:
            at = int(m[1])
            return q.answer(206, data[at:], {"Content-Range": f"bytes {at}-{len(data) - 1}/{len(data)}"})
        return q.answer(200, data, {"Content-Type": "application/octet-stream"})

    def serve_uploads(self, q, repository, which):
        query = urllib.parse.parse_qs(q.query)
        if q.method == "POST":
            if query.get("mount", [""])[0] in self.blobs and "from" in query:
                return q.answer(201, headers={"Location": f"/v2/{repository}/blobs/{query['mount'][0]}"})
            with self.lock:
                self.count += 1
                name = f"upload-{self.count}"
                self.uploads[name] = b""
            return q.answer(202, headers={"Location": self.location(repository, name)})
        data = q.read()
        if data is None:
            return q.reset()
        if which not in self.uploads:
            return q.error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if q.method == "PATCH":
            self.uploads[which] += data
            return q.answer(202, headers={"Location": self.location(repository, which)})
        whole, want = self.uploads.pop(which) + data, query.get("digest", [""])[0]
        if digest(whole) != want:
            return q.error(400, "DIGEST_INVALID", "not those bytes")
        self.blobs[want] = whole
        return q.answer(201, headers={"Location": f"/v2/{repository}/blobs/{want}"})

    def location(self, repository, name):
        return f"/v2/{repository}/blobs/uploads/{name}?_state=a%2Fb%3D"

    def put_manifest(self, q, repository, ref):
        data = q.read()
        document = json.loads(data)
        for b in document.get("layers", []) + [document["config"]] if "config" in document else []:
            if b["digest"] not in self.blobs:
                return q.error(404, "MANIFEST_BLOB_UNKNOWN", b["digest"])
        self.add_document(repository, ref, data, q.headers["Content-Type"])
        return q.answer(201, headers={"Docker-Content-Digest": digest(data)})


class Tokens:
    """A token server, at /token of the registry itself or of another one. A token is good for USES
    requests, and for SCOPES asked for."""
    def __init__(self, user=None, password=None, refresh=None, uses=None, realm=None, reply=None):
        self.user, self.password, self.refresh, self.uses = user, password, refresh, uses
        self.realm, self.reply = realm, reply
        self.given, self.asked, self.lock = {}, [], threading.Lock()

    def url(self, registry):
        return self.realm or registry.url + "/token"

    def allows(self, authorization, scope):
        with self.lock:
            have = self.given.get((authorization or "").removeprefix("Bearer "))
            if not have or have["uses"] == 0:
                return False
            if not any(covers(s, scope) for s in have["scopes"]) and scope:
                return False
            have["uses"] -= 1
            return True

    def serve(self, q):
        data = urllib.parse.parse_qs((q.read().decode() if q.method == "POST" else q.query))
        self.asked.append((q.method, data, q.authorization))
        if self.refresh and q.method == "POST":
            if data.get("refresh_token") != [self.refresh] or data.get("grant_type") != ["refresh_token"]:
                return q.error(401, "UNAUTHORIZED", "wrong refresh token")
        elif self.user:
            want = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if q.authorization != want:
                return q.error(401, "UNAUTHORIZED", "wrong password")
        with self.lock:
            token = f"token-{len(self.given)}"
            scopes = [one for s in data.get("scope", []) for one in s.split(" ")]
            self.given[token] = {"scopes": scopes, "uses": -1 if self.uses is None else self.uses}
        return q.answer(200, self.reply(token) if self.reply else {"token": token, "expires_in": 300})


def covers(have, want):
    a, b = have.rpartition(":"), want.rpartition(":")
    return a[0] == b[0] and set(b[2].split(",")) <= set(a[2].split(","))
