#!/usr/bin/env bash
# Two real VMs on the switch, and the same two on DPDK's.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/guests.sh [ROUNDS [SECONDS]]

	Boots two VMs on InterGuest, and the same two on DPDK's vhost switch, in turn,
	ROUNDS (2) times. Prints TCP throughput over SECONDS (4), alice to bob, the mean
	round trip of a ping, and how much of a CPU the switch used: under that traffic, and
	while the VMs were silent. The guests use no offloads, because DPDK's forwarding does
	not carry them. Needs the packages of deploy/setup.sh tests.
	END
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
rounds=${1:-2} seconds=${2:-4} QUIET=5
NONE=csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off
"$root/deploy/build.sh" >&2
"$root/deploy/guest/build.sh" >&2
# shellcheck source=../vms.sh
. "$root/tests/vms.sh"
trap end_pair EXIT

cpu() { # in ms, by all threads of the switch
	awk -v hertz="$(getconf CLK_TCK)" '{sub(/^.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hertz}' "/proc/$switch_pid/stat"
}

# What the switch used meanwhile, in % of a CPU.
share() { # MS-BEFORE SECONDS
	awk -v used=$(($(cpu) - $1)) -v seconds="$2" 'BEGIN {printf "%.1f", used / seconds / 10}'
}

measure() { # NAME
	local before mbit ping busy
	in_guest bob 20 iperf_server
	before=$(cpu)
	mbit=$(in_guest alice 60 "iperf_mbit ${address[bob]} -t $seconds")
	busy=$(share "$before" "$seconds")
	ping=$(in_guest alice 60 "/bin/ping -q -c 200 -i 0.01 ${address[bob]}" | sed -n 's:.* = [^/]*/\([^/]*\)/.*:\1:p')
	sleep 1
	before=$(cpu)
	sleep "$QUIET"
	printf '%-10s %8s Mbit/s  ping %6s ms  switch: %5s %% of a CPU under load, %5s %% while all is silent\n' "$1" "$mbit" "$ping" "$busy" "$(share "$before" "$QUIET")"
}

up() { # both VMs, on whatever listens on the ports' sockets
	local name
	for name in alice bob; do eval "vm start $name -- ${arguments[$name]}"; done
	for name in alice bob; do ready "$name"; done
	reaches alice 60
}

down() {
	end_switch KILL
	switch_pid=
	end_pair
}

accel=$("$vm_script" accel)
declare -A arguments
for ((round = 0; round < rounds; round++)); do
	begin_run guests
	for name in alice bob; do
		interguest port add "$name" >/dev/null
		arguments[$name]=$(qemu_arguments "$name" "$NONE")
	done
	interguest link add cable alice bob >/dev/null
	up
	measure InterGuest
	down

	mkdir -p "$run/ports"
	"$root/tests/Benchmarks/net/dpdk.sh" "$run/ports/alice.sock" "$run/ports/bob.sock" </dev/null >"$run/switch.log" 2>&1 &
	switch_pid=$!
	wait_until 30 "DPDK's switch listens" test -S "$run/ports/bob.sock"
	up
	measure DPDK
	down
done
