"""Random stacks of layers, unpacked by layers/, by the model, and by umoci."""
import ctypes
import json
import os
import random
import shutil
import subprocess

from model import random_stack, tree_of
from rawtar import *

OCI = "application/vnd.oci.image."
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def each(folder, tool, commands):
    """Does them in one process; what each of them prints, as lines."""
    write(folder + "/commands", "".join(" ".join(c) + "\n" for c in commands).encode())
    told = "\n".join(tool("each", folder + "/commands")).rstrip("\n")
    return [t.split("\n") for t in told.split("\n\n")]


def merged(folder, trees, layers):
    """What overlayfs shows of TREES, bottom first. It does not look whether a root is opaque, and wants
    each tree once: a layer that is there twice counts where it is on top."""
    place = folder + "/merged"
    os.makedirs(place, exist_ok=True)
    floor = max((i for i, data in enumerate(layers) if header(".wh..wh..opq") in data), default=0)
    back = os.getcwd()
    os.chdir(folder + "/store/trees")
    lower = [os.path.basename(t) for t in dict.fromkeys(reversed(trees[floor:]))] + ["../../empty"]
    failed = libc.mount(b"overlay", place.encode(), b"overlay", 0, b"lowerdir=" + ":".join(lower).encode())
    os.chdir(back)
    if failed:
        raise OSError(ctypes.get_errno(), "mount " + ":".join(lower))
    try:
        return tree_of(place)
    finally:
        if libc.umount2(place.encode(), 0):
            raise OSError(ctypes.get_errno(), "umount")


def layout(folder, all_layers):
    """An OCI layout with an image NUMBER for each of these lists of layers."""
    os.makedirs(folder + "/blobs/sha256")

    def put(data, type):
        write(f"{folder}/blobs/sha256/{hashlib.sha256(data).hexdigest()}", data)
        return {"mediaType": OCI + type, "digest": diff_id(data), "size": len(data)}

    def image(number, layers):
        layers = [put(l, "layer.v1.tar") for l in layers]
        config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [l["digest"] for l in layers]}}).encode(), "config.v1+json")
        document = {"schemaVersion": 2, "config": config, "layers": layers}
        return {**put(json.dumps(document).encode(), "manifest.v1+json"),
                "annotations": {"org.opencontainers.image.ref.name": str(number)}}

    manifests = [image(number, layers) for number, layers in enumerate(all_layers)]
    write(folder + "/index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
    write(folder + "/oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def by_umoci(folder, number):
    subprocess.run(["umoci", "raw", "unpack", "--image", f"{folder}/image:{number}", folder + "/umoci"],
                   check=True, capture_output=True)
    found = tree_of(folder + "/umoci")
    shutil.rmtree(folder + "/umoci")
    return found


def equal(found, wanted, what):
    differing = {k: (found.get(k), wanted.get(k)) for k in {*found, *wanted}
                 if found.get(k) != wanted.get(k)}
    assert not differing, f"{what}: {differing}"


def compare(folder, tool, make_layer, seeds, umoci=False):
    """Unpacked alike; and packed again and unpacked, each layer is the same to the byte."""
    # In memory: thousands of small files, and nothing that a disk would tell.
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"mode=700"):
        raise OSError(ctypes.get_errno(), "mount tmpfs")
    try:
        os.mkdir(folder + "/empty")
        compare_all(folder, tool, make_layer, seeds, umoci)
    finally:
        libc.umount2(folder.encode(), MNT_DETACH)


def compare_all(folder, tool, make_layer, seeds, umoci):
    all = [random_stack(random.Random(seed), make_layer) for seed in seeds]
    paths = [[write(f"{folder}/{n}.{i}.tar", data) for i, data in enumerate(stack)]
             for n, (stack, _) in enumerate(all)]
    trees = each(folder, tool, [["unpack", *p] for p in paths])
    for seed, (stack, model), unpacked in zip(seeds, all, trees):
        equal(merged(folder, unpacked, stack), model.tree(), f"seed {seed}")
    packed = iter(each(folder, tool, [["write", t] for unpacked in trees for t in unpacked]))
    jobs = [(seed, [*p[:i], next(packed)[1]]) for seed, p in zip(seeds, paths) for i in range(len(p))]
    again = each(folder, tool, [["unpack", *layers] for _, layers in jobs])
    packed = each(folder, tool, [["write", unpacked[-1]] for unpacked in again])
    for (seed, layers), (digest, _) in zip(jobs, packed):
        assert digest.split(":")[1] == os.path.basename(layers[-1]), f"seed {seed}: packed twice"
    if umoci:
        layout(folder + "/image", [stack for stack, _ in all])
        for n, (_, model) in enumerate(all):
            equal(by_umoci(folder, n), model.tree(), f"umoci, seed {seeds[n]}")
