#!/usr/bin/env bash
# Search the same photographs in two galleries at once: staff and visitors, say.
#
#   two_galleries.sh FIRST SECOND OUTPUT PHOTO...
#
# OUTPUT is a folder; it gets first.jsonl and second.jsonl, a record a photograph in each, in the same order.
# An interrupted run goes on when the same command is given again.
#
# Ends with 0 when both searches did, else with the worse of their two statuses. What ended a search (2 usage,
# 5 this machine, 6 the gallery, 7 the output) is worse than photographs of no use (3, 4); of two of one sort
# the larger counts.
set -euo pipefail

[ $# -ge 4 ] || { echo "usage: two_galleries.sh FIRST SECOND OUTPUT PHOTO..." >&2; exit 2; }
first=$1 second=$2 output=$3
shift 3
mkdir -p -- "$output"

# Half of the cores for each, so that the two don't get in each other's way.
cores=$(getconf _NPROCESSORS_ONLN)
jobs=$(((cores + 1) / 2))

search() { arcface identify -q -j "$jobs" -g "$1" -o "$2" --resume -- "${@:3}"; }

weight() {
    case $1 in
        0 | 3 | 4) echo "$1" ;;
        *) echo $((256 + $1)) ;;
    esac
}

search "$first" "$output/first.jsonl" "$@" &
other=$!
trap 'kill "$other" 2> /dev/null || true' INT TERM # a job in the background doesn't hear Ctrl-C
one=0 two=0
search "$second" "$output/second.jsonl" "$@" || two=$?
wait "$other" || one=$?
[ "$(weight "$one")" -ge "$(weight "$two")" ] || exit "$two"
exit "$one"
