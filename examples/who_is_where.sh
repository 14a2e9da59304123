#!/usr/bin/env bash
# List who was recognised on which photograph below a folder: two columns, tab between them.
#
#   who_is_where.sh FOLDER > who.tsv
#
# find's -print0 and -0 keep names with blanks and line breaks whole. A record shows such a name on one line,
# with \n for the break. Records come in the order of the names, while the run goes on.
set -euo pipefail

list='
import json, sys

for line in sys.stdin:
    record = json.loads(line)
    for face in record.get("faces", ()):
        if face["decision"] == "match":
            print(face["subject"], record["input"], sep="\t")
'

[ $# -eq 1 ] || { echo "usage: who_is_where.sh FOLDER" >&2; exit 2; }
folder=$1
case $folder in -* | '(' | ')' | '!') folder=./$folder ;; esac # find would take it for a word of its own

status=0
find "$folder" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' -o -iname '*.webp' \) -print0 |
    sort -z |
    arcface identify --files-from - -0 --format jsonl |
    python3 -c "$list" || status=$?

# 3: photographs without a face, or damaged ones, were among them; that is how folders are.
[ "$status" -eq 3 ] || exit "$status"
