#!/usr/bin/env bash
# Copy photographs into one folder a person; those with nobody known go to "unknown".
#
#   sort_by_person.sh INBOX SORTED
#
# A photograph of two people lands in both folders. Nothing in INBOX is moved or changed, and no copy is
# replaced: two photographs of one name become 1.jpg and 1-2.jpg, and one that is there already is left alone.
# So the same command can be given again. Ends with 0, or with the status of what went wrong.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: sort_by_person.sh INBOX SORTED" >&2; exit 2; }
inbox=$1
sorted=$2

copy='
import base64, filecmp, itertools, json, os, pathlib, shutil, sys

target, inbox = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
if target.resolve().is_relative_to(inbox.resolve()):
    print(f"{str(target)!a}: lies inside the inbox, where copies would be sorted again", file=sys.stderr)
    sys.exit(2)

def folder_of(name):
    """One folder for each name: what a file system, or this script, gives another meaning becomes %2F."""
    safe = name.replace("%", "%25").replace("/", "%2F")
    return f"%{ord(safe[0]):02X}{safe[1:]}" if safe.startswith(".") or safe == "unknown" else safe

def copy(photo, folder):
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / photo.name
    for number in itertools.count(2):
        if not os.path.lexists(place):
            break
        if place.is_file() and filecmp.cmp(photo, place, shallow=False):
            return
        place = folder / f"{photo.stem}-{number}{photo.suffix}"
    shutil.copy2(photo, folder / ".part")  # a copy that is cut short never gets the name
    os.replace(folder / ".part", place)

for line in sys.stdin:
    record = json.loads(line)
    if record["status"] != "done":
        continue
    names = {face["subject"] for face in record["faces"] if face["decision"] == "match"}
    photo = record["input"]
    if "input_b64" in record:  # a name that is no plain text, byte for byte
        photo = os.fsdecode(base64.b64decode(record["input_b64"]))
    for folder in sorted(map(folder_of, names)) or ["unknown"]:
        copy(pathlib.Path(photo), target / folder)
'

status=0
arcface identify --recursive --format jsonl -- "$inbox" | python3 -c "$copy" "$sorted" "$inbox" || status=$?
[ "$status" -eq 3 ] || exit "$status" # 3: some had no face, and stay where they are
