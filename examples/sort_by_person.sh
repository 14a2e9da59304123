#!/usr/bin/env bash
# Copy photographs into one folder a person; those with nobody known go to "unknown".
#
#   sort_by_person.sh INBOX SORTED
#
# A photograph of two people lands in both folders. Nothing in INBOX is moved or changed.
set -euo pipefail

inbox=$1
sorted=$2

copy='
import base64, json, os, pathlib, shutil, sys

target = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    record = json.loads(line)
    faces = record.get("faces", ())
    names = {face["subject"] for face in faces if face["decision"] == "match"} or {"unknown"}
    photo = record["input"]
    if "input_b64" in record:  # a name that is no plain text, byte for byte
        photo = os.fsdecode(base64.b64decode(record["input_b64"]))
    for name in sorted(names) if record["status"] == "done" else ():
        folder = target / name.replace("/", "_").lstrip(".")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(photo, folder)
'

status=0
arcface identify --recursive "$inbox" --format jsonl | python3 -c "$copy" "$sorted" || status=$?
[ "$status" -eq 3 ] || exit "$status" # 3: some had no face, and stay where they are
