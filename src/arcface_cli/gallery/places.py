"""What kind of disk a gallery lies on."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mounts")

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "9p", "ncpfs", "beegfs"}
)


def network_file_system(directory: Path, mounts: Path = MOUNTS) -> str | None:
    """Name of the network file system that a folder lies on; None for a local one, or if it can't be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    target = directory.absolute()
    best, kind = -1, ""
    for line in lines:
        _, point, system, *_ = [*line.split(" "), "", "", ""]
        place = Path(_unescaped(point) or "/")
        if target.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), system
    remote = kind in _NETWORK or kind.startswith("fuse.sshfs")
    return kind if remote else None


def _unescaped(point: str) -> str:
    """A mount point as it is: the kernel writes blanks and backslashes in octal, other bytes as they are."""
    as_it_is = "utf-8", "surrogateescape"
    return point.encode(*as_it_is).decode("unicode_escape").encode("latin-1").decode(*as_it_is)


def warning(directory: Path, system: str) -> str:
    """One line to people about a gallery on a network file system."""
    return (
        f"{directory} lies on a network file system ({system}): let one machine alone use it, "
        "for SQLite's write-ahead log and locks don't reach across machines"
    )
