#!/usr/bin/env bash
# Throughput of a served disk beside that of qemu-storage-daemon, of the same file to the same client.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/block.sh [ROUNDS [SECONDS]]

	A client process with 32 requests on their way uses a file, in turn through the
	switch and 'interguest-agent serve-block' (two copies more, and another process)
	and through qemu-storage-daemon's vhost-user-blk export. ROUNDS (default: 3) times
	SECONDS (default: 2) each; prints the medians, and their ratio. 'cached' is
	through the page cache (serve-block --cached, cache.direct=off), 'direct' is not.
	Needs a quiet machine with two processors or more.
	END
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
rounds=${1:-3} seconds=${2:-2}
SIZE=256M DEPTH=32

# shellcheck source=../vms.sh
. "$root/tests/vms.sh"
# shellcheck source=../disks.sh
. "$root/tests/disks.sh"
"$root/deploy/build.sh" >/dev/null
dotnet build "$root/tests/Benchmarks" -c Release -nodeReuse:false -v quiet -clp:ErrorsOnly >/dev/null
client=$(compgen -G "$root/tests/Benchmarks/bin/Release/*/InterGuest.Benchmarks.dll")
daemon_pid=''
end_all() {
	[[ ! $daemon_pid ]] || kill "$daemon_pid" 2>/dev/null || true
	end_disks
}
trap end_all EXIT
begin_run block
head -c "$SIZE" /dev/urandom >"$run/store.raw"
interguest port add disk --type block >/dev/null
interguest port add store --type block-server >/dev/null
interguest link add d1 disk store >/dev/null

start_ours() { # cached|direct
	if [[ $1 = cached ]]; then start_agent --cached; else start_agent; fi
	wait_until 30 "the disk is announced" port_is disk listening
	wait_until 30 "the disk is $1" announced "$1"
}
announced() { [[ $(interguest port show disk --json) = *'"cached": '$([[ $1 = cached ]] && echo true || echo false)* && $(interguest link show d1 --json) != *announced* ]]; }

start_theirs() { # cached|direct
	local direct=off
	[[ $1 = cached ]] || direct=on,aio=native
	qemu-storage-daemon --blockdev "driver=file,filename=$run/store.raw,node-name=disk,locking=off,cache.direct=$direct" \
		--export "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=$run/theirs.sock,writable=on" </dev/null >"$run/theirs.log" 2>&1 &
	daemon_pid=$!
	wait_until 30 "qemu-storage-daemon listens" test -S "$run/theirs.sock"
}

end_ours() { end_agent TERM; }
end_theirs() {
	# QEMU 7.2's may have aborted already, as the client went: what was measured is in.
	kill "$daemon_pid" 2>/dev/null || true
	wait "$daemon_pid" 2>/dev/null || true
	daemon_pid=''
	rm -f "$run/theirs.sock"
}

measure() { # SOCKET read|write random|sequential BYTES
	dotnet "$client" block "$1" "$2" "$3" "$4" "$DEPTH" "$seconds"
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

printf '%-8s %-24s %12s %12s %7s\n' mode requests ours/s theirs/s ratio
for case in "cached read random 4096" "cached write random 4096" "cached read sequential 131072" "cached write sequential 131072" \
	"direct read random 4096" "direct read sequential 131072"; do
	read -r mode operation order bytes <<<"$case"
	ours=() theirs=()
	for ((i = 0; i < rounds; i++)); do
		start_ours "$mode"
		ours+=("$(measure "$run/ports/disk.sock" "$operation" "$order" "$bytes")")
		end_ours
		start_theirs "$mode"
		theirs+=("$(measure "$run/theirs.sock" "$operation" "$order" "$bytes")")
		end_theirs
	done
	a=$(median "${ours[@]}") b=$(median "${theirs[@]}")
	printf '%-8s %-24s %12s %12s %7s\n' "$mode" "$operation $order $bytes" "$a" "$b" "$(awk -v a="$a" -v b="$b" 'BEGIN {printf "%.2f", a / b}')"
done
