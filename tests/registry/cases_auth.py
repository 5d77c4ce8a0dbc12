"""Authorization: tokens, passwords, helpers, and who must not get them."""
from suite import *


def guarded(**how):
    r = registry(bearer=Tokens(**how))
    img = image()
    r.add("a/b", "1", img)
    return r, img


@case("a token is asked for once, for what is needed, by nobody")
def _():
    r, img = guarded()
    pull(f"{r.name}/a/b:1").ok()
    equal(len(r.bearer.asked), 1, "tokens")
    method, data, authorization = r.bearer.asked[0]
    equal((method, data, authorization), ("GET", {"service": ["fake"], "scope": ["repository:a/b:pull"]}, None))


@case("a token is asked for with the password, in the user's name")
def _():
    r, img = guarded(user="user", password="s3cret")
    pull(f"{r.name}/a/b:1").fails("401 Unauthorized: UNAUTHORIZED: wrong password")
    login_for(r)
    pull(f"{r.name}/a/b:1").ok()
    equal(r.bearer.asked[-1][1]["account"], ["user"])
    check(not [q for q in r.log if q.path != "/token" and "Basic" in (q.authorization or "")], "Basic went to the registry")


@case("a token server's answer has many forms (H159)")
def _():
    for reply in (lambda t: {"access_token": t}, lambda t: {"token": t, "access_token": "x"},
                  lambda t: {"token": t, "expires_in": 0}, lambda t: {"token": t, "expires_in": -1},
                  lambda t: {"token": t, "expires_in": "300"}, lambda t: {"token": "", "access_token": t},
                  lambda t: {"token": t, "issued_at": "2999-01-01T00:00:00Z", "unknown": [1]}):
        r, img = guarded(reply=reply)
        pull(f"{r.name}/a/b:1").ok()
    for reply in (lambda t: {}, lambda t: {"token": 7}, lambda t: {"token": "a\r\nX-Evil: 1"}, lambda t: []):
        r, img = guarded(reply=reply)
        pull(f"{r.name}/a/b:1").fails("token server", "no token")
    r, img = guarded()
    r.hook = lambda q: q.path == "/token" and q.endless(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536)
    pull(f"{r.name}/a/b:1").fails("larger than 65536 bytes")


@case("a realm keeps the query that it has (H158)")
def _():
    r, img = guarded()
    r.bearer.realm = r.url + "/token?x=a%2Fb"
    pull(f"{r.name}/a/b:1").ok()
    check(r.seen(part="/token")[0].url.startswith("/token?x=a%2Fb&service=fake&scope="), r.seen(part="/token"))


@case("a scope that is asked for in other words is asked for as well (H158)")
def _():
    r, img = guarded()
    r.hook = lambda q: (q.path == "/v2/" and q.answer(200)) or (
        "/manifests/" in q.url and not q.authorization and q.answer(401, headers={
        "WWW-Authenticate": f'Bearer realm="{r.url}/token",service="fake",scope="repository:remote/a/b:pull"'}))
    client("resolve", f"{r.name}/a/b:1", "linux/amd64").ok()
    equal(r.bearer.asked[0][1]["scope"], ["repository:a/b:pull", "repository:remote/a/b:pull"])


@case("an identity token goes to the token server by POST, and never as a password (H160)")
def _():
    r, img = guarded(refresh="refresh-me")
    config(auths={r.name: {"auth": base64.b64encode(b"user:s3cret").decode(), "identitytoken": "refresh-me"}})
    pull(f"{r.name}/a/b:1").ok()
    method, data, authorization = r.bearer.asked[0]
    equal((method, authorization, data["service"], data["client_id"]), ("POST", None, ["fake"], ["cairn"]))
    check(not [q for q in r.log if "Basic" in (q.authorization or "")], "it was sent as a password")


@case("an identity token does not follow a redirect to another host")
def _():
    r, img = guarded(refresh="refresh-me")
    other = registry("127.0.0.2", bearer=r.bearer)
    config(auths={r.name: {"identitytoken": "refresh-me"}})
    r.hook = lambda q: q.path == "/token" and q.answer(307, headers={"Location": other.url + "/token"})
    pull(f"{r.name}/a/b:1").fails("redirects what is secret")
    equal(other.log, [])


@case("a password does not follow a redirect of the token server")
def _():
    r, img = guarded()
    other = registry("127.0.0.2", bearer=r.bearer)
    login_for(r, other)
    r.hook = lambda q: q.path == "/token" and q.answer(302, headers={"Location": other.url + q.url})
    pull(f"{r.name}/a/b:1").ok()
    equal([q.authorization for q in other.log], [None])


@case("a token server elsewhere gets the password only when the user says so")
def _():
    r, img = guarded(user="user", password="s3cret")
    other = registry("127.0.0.2", bearer=r.bearer)
    r.bearer.realm = other.url + "/token"
    login_for(r)
    pull(f"{r.name}/a/b:1").fails("a stranger", "CAIRN_TOKEN_HOSTS=127.0.0.2")
    equal(other.log, [])
    pull(f"{r.name}/a/b:1", CAIRN_TOKEN_HOSTS="127.0.0.2").ok()


@case("a token server beside the registry, on another port, gets the password (H314)")
def _():
    r, img = guarded(user="user", password="s3cret")
    other = registry(bearer=r.bearer)
    r.bearer.realm = other.url + "/token"
    login_for(r)
    pull(f"{r.name}/a/b:1").ok()


# H037.
@case("realms that are no token servers are not asked (H153)")
def _():
    for realm, why in (("file:///etc/passwd", "only http and https"), ("http://169.254.169.254/token", "not encrypted"),
                       ("https://169.254.169.254/token", "internal address"), ("http://u@127.0.0.1/", "user and password"),
                       ("token", "only http and https")):
        r, img = guarded(realm=realm)
        pull(f"{r.name}/a/b:1").fails(why)


@case("a refusal says that the repository may be missing or not ours, and keeps the registry's words (H161)")
def _():
    hint = "/a/b{}: the repository does not exist or may require 'cairn login': the registry answers {} "
    for status in (401, 403):
        r = registry()
        r.hook = lambda q: q.path != "/v2/" and q.error(status, "DENIED", "requested access to the resource is denied")
        words = "DENIED: requested access to the resource is denied"
        pull(f"{r.name}/a/b:1").fails(hint.format(":1", status), words)
        img = Image([])
        push(f"{r.name}/a/b:1", img).fails(hint.format("@" + digest(img.config), status), words)


@case("who is always refused is refused after two tries (H157)")
def _():
    r = registry(basic=("user", "other"))
    login_for(r)
    pull(f"{r.name}/a/b:1").fails("401 Unauthorized")
    equal(len(r.seen(part="manifests")), 1, "requests with a password that is known to be wrong")
    r, img = guarded(uses=0)
    pull(f"{r.name}/a/b:1").fails("401 Unauthorized")
    equal(len(r.seen(part="manifests")), 2, "requests")


def expiring_at(n, **how):
    """A registry at whose request N, tokens not counted, all tokens given so far expire."""
    r = registry(bearer=Tokens(**how))
    count = iter(range(1, 1 << 30))
    def hook(q):
        if q.path != "/token" and next(count) == n:
            r.bearer.given.clear()
    r.hook = hook
    return r


@case("a token that expires at any moment of a pull is renewed (H156)")
def _():
    img = image()
    for n in range(1, 7):
        r = expiring_at(n)
        r.add("a/b", "1", img)
        pull(f"{r.name}/a/b:1").ok()


@case("a token that expires at any moment of a push is renewed, and all bytes arrive (H156, H170)")
def _():
    img = image(b"a" * 300000, b"b")
    for n in range(1, 14):
        r = expiring_at(n, user="user", password="s3cret")
        login_for(r)
        push(f"{r.name}/a/b:1", img).ok().says(f"pushed {img.digest}")
        equal(sorted(r.blobs), sorted(map(digest, img.layers + [img.config])))
        equal(r.manifests["a/b", "1"], (MANIFEST, img.manifest))


@case("a helper is asked again when its password has expired, whether that is 401 or 403 (H179)")
def _():
    aging = ('cd "$(dirname "$0")"; if [ -e asked ]; then p=s3cret; else p=old; fi; echo >>asked\n'
             'echo "{\\"Username\\":\\"AWS\\",\\"Secret\\":\\"$p\\"}"\n')
    old = "Basic " + base64.b64encode(b"AWS:old").decode()
    for status in (401, 403):
        r = registry(basic=("AWS", "s3cret"))
        r.hook = lambda q: status == 403 and q.authorization == old and q.error(
            403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        helper("aging", aging)
        config(credHelpers={r.name: "aging"})
        img = image()
        push(f"{r.name}/a/b:1", img).ok()
        equal(sorted(r.blobs), sorted(map(digest, img.layers + [img.config])))
        equal((place() / "asked").read_text(), "\n\n", "questions")
        r.hook = lambda q: q.path != "/v2/" and q.authorization and q.error(403, "DENIED", "not for you")
        push(f"{r.name}/a/c:1", img).fails("403 Forbidden: DENIED: not for you")
        (place() / "asked").unlink()


# H036.
@case("a helper that is missing is an error, and nobody is asked in its place (H184)")
def _():
    r = registry(basic=("user", "s3cret"))
    login_for(r)
    c = json.loads((place() / "config.json").read_text())
    config(**c, credHelpers={r.name: "missing"})
    pull(f"{r.name}/a/b:1").fails("docker-credential-missing")
    check(not [q for q in r.log if q.authorization], "credentials were sent")


@case("a registry that needs no password runs no helper")
def _():
    r = registry()
    r.add("a/b", "1", image())
    config(credsStore="missing")
    pull(f"{r.name}/a/b:1").ok()


@case("login asks the registry first, and keeps what is right")
def _():
    basic, bearer = registry(basic=("user", "s3cret")), registry(bearer=Tokens(user="user", password="s3cret"))
    for r in (basic, bearer):
        r.add("a/b", "1", image())
        client("login", r.name, "user", "wrong").fails("401 Unauthorized")
        check(not (place() / "config.json").exists(), "kept what is wrong")
        client("login", f"{r.name}", "user", "s3cret").ok()
        pull(f"{r.name}/a/b:1").ok()
        equal((place() / "config.json").stat().st_mode & 0o777, 0o600)
        client("logout", f"http://{r.name}/v2/").ok()
        client("resolve", f"{r.name}/a/b:1", "linux/amd64").fails("401")
        client("logout", r.name).fails("not logged in")
        (place() / "config.json").unlink()
    client("login", "not a host", "u", "p").fails("is no registry")


@case("nobody is logged in to a web page (H197)")
def _():
    r = registry()
    r.hook = lambda q: q.answer(200, b"<html>welcome</html>", {"Content-Type": "text/html"})
    client("login", r.name, "user", "s3cret").fails(f"log in to {r.name}: the answer is a web page")
    check(not (place() / "config.json").exists(), "it is kept")
