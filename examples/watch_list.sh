#!/usr/bin/env bash
# Tell when somebody of a watch list stands on one of the photographs named.
#
#   watch_list.sh GALLERY PHOTO...
#
# Ends with 0 when nobody was seen, with 10 when somebody was, and with arcface's own status when it could not
# look at one: a crash must never read as "nobody". Names are told as a shell would read them.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: watch_list.sh GALLERY PHOTO..." >&2; exit 2; }
gallery=$1
shift

seen=0
for photo in "$@"; do
    status=0
    arcface identify -q -e --gallery "$gallery" -- "$photo" || status=$?
    case $status in
        0)
            printf 'on the watch list: %q\n' "$photo"
            seen=10
            ;;
        1) ;; # faces, but nobody of the list
        4) ;; # no face, as arcface has said
        *) exit "$status" ;;
    esac
done
exit "$seen"
