#!/usr/bin/env bash
# Search the same photographs in two galleries at once: staff and visitors, say.
#
#   two_galleries.sh FIRST SECOND OUTPUT PHOTO...
#
# OUTPUT is a folder; it gets first.jsonl and second.jsonl, a record a photograph in each, in the same order.
# An interrupted run goes on when the same command is given again.
set -euo pipefail

first=$1 second=$2 output=$3
shift 3
mkdir -p "$output"

# Half of the cores for each, so that the two don't get in each other's way.
cores=$(getconf _NPROCESSORS_ONLN)
jobs=$(((cores + 1) / 2))

search() { arcface identify -q -j "$jobs" -g "$1" -o "$2" --resume "${@:3}"; }

search "$first" "$output/first.jsonl" "$@" &
status=0
search "$second" "$output/second.jsonl" "$@" || status=$?
wait $! || status=$?
exit "$status"
