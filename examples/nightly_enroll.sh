#!/usr/bin/env bash
# Enroll whatever is new in a folder of people, every night.
#
#   nightly_enroll.sh PEOPLE LOG
#
# PEOPLE holds a folder for each person. The gallery follows it: what is enrolled already, or was of no use
# before, is not looked at again, so a night without anything new takes seconds. What is gone from PEOPLE is
# told and stays enrolled (add --prune to remove it). LOG gets one JSON object for each photograph. In a
# crontab:
#
#   30 2 * * *  /opt/arcface/nightly_enroll.sh /srv/people /var/log/arcface/enroll.jsonl
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: nightly_enroll.sh PEOPLE LOG" >&2; exit 2; }
people=$1
log=$2

status=0
arcface enroll --sync --format jsonl --output "$log" -- "$people" || status=$?

case $status in
    0) echo "everybody in $people is enrolled" ;;
    3) # Some photographs are of no use. Say which and why, the night they come, for the mail that cron sends.
        python3 - "$log" <<'PYTHON'
import json, sys

for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    if record["status"] != "done" and record["error"]["code"] not in ("duplicate", "refused_before"):
        error = record["error"]
        print(f'{record["input"]}: {error["code"]}: {error["hint"] or error["message"]}')
PYTHON
        ;;
    *) exit "$status" ;; # 5: this machine, 6: the gallery, 7: no space: nothing that waiting mends
esac
