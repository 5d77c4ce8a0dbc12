#!/usr/bin/env python3
"""An OCI layout in the folder argv[1] with one image: the config argv[2] (JSON), and a layer for each
folder or tar that follows."""
import hashlib
import io
import json
import os
import sys
import tarfile


def main(folder, config, *trees):
    os.makedirs(folder + "/blobs/sha256")

    def put(media_type, data):
        digest = hashlib.sha256(data).hexdigest()
        with open(folder + "/blobs/sha256/" + digest, "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def layer(tree):
        if os.path.isfile(tree):
            with open(tree, "rb") as f:
                return put("application/vnd.oci.image.layer.v1.tar", f.read())
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(os.listdir(tree)):
                tar.add(tree + "/" + name, name)
        return put("application/vnd.oci.image.layer.v1.tar", buffer.getvalue())

    layers = [layer(tree) for tree in trees]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}
    document = {"architecture": machine.get(os.uname().machine, os.uname().machine), "os": "linux", "config": json.loads(config),
                "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}
    manifest = put("application/vnd.oci.image.manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put("application/vnd.oci.image.config.v1+json", json.dumps(document).encode()),
        "layers": layers}).encode())
    for name, content in (("index.json", {"schemaVersion": 2, "manifests": [manifest]}),
                          ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(folder + "/" + name, "w") as f:
            json.dump(content, f)


main(*sys.argv[1:])
