"""A container as Docker makes it by default, for runc: container.py BUNDLE SECCOMP USER COMMAND...

BUNDLE/config.json: root without the right to mount, or USER; /proc masked; with SECCOMP "docker"
no namespace can be made and nothing mounted, with "none" (as Kubernetes does it) the kernel alone
decides. The root filesystem is an overlay at BUNDLE/root; BUNDLE/shared is there under its own
name, and so are the machine's libraries.
"""
import json, os, pathlib, platform, sys

bundle, seccomp, user = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], int(sys.argv[3])

# moby: oci/caps/defaults.go, oci/defaults.go, profiles/seccomp/default.json
capabilities = ["CAP_" + name for name in """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID
    SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE""".split()]
refused = """mount umount umount2 unshare setns pivot_root open_tree move_mount fsopen fsconfig fsmount
    fspick mount_setattr keyctl add_key request_key bpf perf_event_open ptrace""".split()
namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
profile = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_" + platform.machine().upper()],
    "syscalls": [{"names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                 {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}] +
                [{"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                  "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}]}
                 for flag in namespaces],
}


def mount(destination, type, source, *options):
    return {"destination": destination, "type": type, "source": source, "options": list(options)}


masked = """/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list
    /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware""".split()
sealed = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
libraries = [d for d in ("/lib", "/lib64", "/usr/lib") if os.path.isdir(d)]
config = {
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": user, "gid": user},
        "args": sys.argv[4:],
        "env": ["PATH=/bin", "ASAN_OPTIONS=detect_leaks=0", "HOME=/root" if user == 0 else "HOME=/tmp",
                f"SOURCE_DATE_EPOCH={os.environ['SOURCE_DATE_EPOCH']}"],
        "cwd": "/",
        "capabilities": {kind: capabilities if kind == "bounding" or user == 0 else []
                         for kind in ("bounding", "effective", "permitted")},
    },
    "root": {"path": "root"},
    "hostname": "container",
    "mounts": [
        mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755"),
        mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666"),
        mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),
        mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        mount(str(bundle / "shared"), "bind", str(bundle / "shared"), "rbind"),
    ] + [mount(d, "bind", d, "rbind", "ro") for d in libraries],
    "linux": {
        "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
        "maskedPaths": masked,
        "readonlyPaths": sealed,
        "resources": {"devices": [{"allow": False, "access": "rwm"}] + [
            {"allow": True, "type": t, "access": "m"} for t in "cb"] + [
            {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
            for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0))]},
        **({"seccomp": profile} if seccomp == "docker" else {}),
    },
}
(bundle / "config.json").write_text(json.dumps(config, indent=1))
