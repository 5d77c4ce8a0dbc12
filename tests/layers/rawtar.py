"""Tar archives byte by byte, so that they can be wrong in one place only."""
import gzip
import hashlib

BLOCK = 512


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def header(name, type=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", major=0, minor=0,
           magic=b"ustar\x0000", prefix=b"", size_field=None, uid_field=None, mtime_field=None,
           major_field=None, checksum=None):
    name = name.encode() if isinstance(name, str) else name
    link = link.encode() if isinstance(link, str) else link
    number = lambda value, digits: b"%0*o\0" % (digits, value)
    block = (name.ljust(100, b"\0") + number(mode, 7) + (uid_field or number(uid, 7)) +
             number(gid, 7) + (size_field or number(size, 11)) + (mtime_field or number(mtime, 11)) +
             b" " * 8 + type + link.ljust(100, b"\0") + magic + bytes(64) +
             (major_field or number(major, 7)) + number(minor, 7) + prefix.ljust(155, b"\0"))
    block = block.ljust(BLOCK, b"\0")
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def entry(name, data=b"", **how):
    return header(name, size=how.pop("size", len(data)), **how) + pad(data)


def directory(name, mode=0o755, **how):
    return header(name, type=b"5", mode=mode, **how)


def symlink(name, link, **how):
    return header(name, type=b"2", link=link, mode=0o777, **how)


def hardlink(name, link, **how):
    return header(name, type=b"1", link=link, **how)


def record(key, value):
    key = key.encode() if isinstance(key, str) else key
    value = value.encode() if isinstance(value, str) else value
    rest = len(key) + len(value) + 3
    length = rest + 1
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records, type=b"x"):
    body = b"".join(r if isinstance(r, bytes) else record(*r) for r in records)
    return header("PaxHeader", type=type, size=len(body)) + pad(body)


def long_name(text, type=b"L"):
    text = text.encode() if isinstance(text, str) else text
    return header("././@LongLink", type=type, size=len(text), magic=b"ustar  \0") + pad(text)


END = bytes(2 * BLOCK)


def tar(*parts, end=END):
    return b"".join(parts) + end


def diff_id(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def members(data, size):
    """DATA as a gzip file of several streams."""
    return b"".join(gzip.compress(data[i:i + size], 6, mtime=0) for i in range(0, len(data), size))
