#!/usr/bin/env python3
"""An OCI layout with one image of two layers, odd where images may be odd, in the folder argv[1].

Prints the manifest's digest. With a second argument something about it is made wrong.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile


def layer(*files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif content.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:]
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO((content or "").encode()))
    return buffer.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def main(folder, wrong=""):
    os.makedirs(folder + "/blobs/sha256")

    def put(media_type, data):
        with open(folder + "/blobs/sha256/" + digest(data)[7:], "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    tars = [layer(("etc", None), ("etc/passwd", "root:x:0:0::/:/bin/sh\n"), ("bin", "->usr/bin"),
                  ("usr", None), ("usr/bin", None), ("usr/bin/sh", "#!\n" * 50000)),
            layer(("etc", None), ("etc/.wh.passwd", ""), ("app", None), ("app/x", "hello"))]
    config = {"architecture": "amd64", "os": "linux", "created": "2024-05-01T12:00:00.5Z",
              "future": {"x": [1, 2.5]},
              "config": {"Env": ["PATH=/bin", "A=b"], "Cmd": ["sh"], "Labels": {"k": "v"}},
              "rootfs": {"type": "layers", "diff_ids": [digest(t) for t in tars]},
              "history": [{"created": "2024-05-01T12:00:00Z", "created_by": "ADD rootfs /"},
                          {"created_by": "ENV A=b", "empty_layer": True},
                          {"created": "2024-05-01T12:00:00Z", "created_by": "COPY x /app",
                           "comment": "the last"}]}
    if wrong == "diff_id":
        config["rootfs"]["diff_ids"].reverse()
    if wrong == "history":
        config["history"] += [{}, {}]
    # The spaces tell whether somebody writes it again.
    manifest = put("application/vnd.oci.image.manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put("application/vnd.oci.image.config.v1+json",
                      json.dumps(config, indent=1).encode()),
        "layers": [put("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(t, mtime=0))
                   for t in tars]}, indent=3).encode())
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "1.0",
                               "io.containerd.image.name": "docker.io/library/demo:1.0"}
    if wrong == "name":
        manifest["annotations"]["io.containerd.image.name"] = "../../../etc/passwd"
    if wrong == "digest":
        manifest["digest"] = "sha256:../../../etc/passwd"
    path = folder + "/blobs/sha256/" + digest(gzip.compress(tars[1], mtime=0))[7:]
    if wrong == "flipped":
        with open(path, "r+b") as f:
            f.seek(40)
            byte = f.read(1)
            f.seek(40)
            f.write(bytes([byte[0] ^ 1]))
    if wrong == "missing":
        os.unlink(path)
    if wrong == "link":
        os.rename(path, folder + "/elsewhere")
        os.symlink(folder + "/elsewhere", path)
    if wrong == "fifo":
        os.unlink(path)
        os.mkfifo(path)
    for name, content in (("index.json", {"schemaVersion": 2, "manifests": [manifest]}),
                          ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        if not (wrong == "oci-layout" and name == wrong):
            with open(folder + "/" + name, "w") as f:
                json.dump(content, f)
    print(manifest["digest"])


main(*sys.argv[1:])
