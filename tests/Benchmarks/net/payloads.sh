#!/usr/bin/env bash
# payloads.sh "SIZES" "MODES": sends 200,000 frames of each size through the switch, and looks at every byte that arrives.
# Exit status: 0 all arrived as they were sent, in order; 1 not, and how.
set -u
net=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=${BIN:-$net/../../../bin}/interguest-agent
dir=$(mktemp -d "${TMPDIR:-/tmp}/payloads.XXXXXX") switch='' failed=0
finish() { [ -z "$switch" ] || { kill "$switch"; wait "$switch"; } 2>/dev/null; rm -rf "$dir"; }
trap finish EXIT
trap 'exit 130' INT TERM
"$net/interguest.sh" "$dir/a.sock" "$dir/b.sock" >"$dir/switch.log" 2>&1 &
switch=$!
for _ in {1..150}; do [ -S "$dir/a.sock" ] && [ -S "$dir/b.sock" ] && break; sleep .1; done
for mode in $2; do
	rings=${mode%%+*} refuse=()
	[ "$rings" = packed ] || refuse=(--refuse ring_packed)
	for size in $1; do
		count=$((size > 2000 ? 20000 : 200000))
		: >"$dir/sink" # it is looked into before its writer has begun
		timeout 60 "$agent" sink --port "$dir/b.sock" --no-rounds "${refuse[@]}" --count "$count" --for 50s --json >"$dir/sink" 2>&1 &
		sink=$!
		for _ in {1..150}; do grep -q running "$dir/sink" && break; sleep .1; done # until then nobody receives
		timeout 60 "$agent" blast --port "$dir/a.sock" --no-rounds "${refuse[@]}" --size "$size" --count "$count" --for 50s >"$dir/blast" 2>&1 &&
			wait "$sink" || { echo "payloads: $rings $size B:"; cat "$dir/sink" "$dir/blast"; failed=1; kill "$sink" 2>/dev/null; wait "$sink"; continue; }
		echo "payloads: $rings $size B: all $count frames arrived as they were sent"
	done
done
exit "$failed"
