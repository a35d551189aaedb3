#!/usr/bin/env bash
# How long traffic between two VMs stands still when the switch is restarted.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/outage.sh [TIMES]

	Two VMs ping each other every 20 ms; the switch is ended with SIGTERM and with
	SIGKILL, TIMES times each (default: 5), and started again at once. Prints for
	ports in mode listen (QEMU comes back after reconnect=1, a second) and in mode
	connect the longest time without an answer: the median, and all of them.
	END
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
times=${1:-5}
# shellcheck source=../vms.sh
. "$root/tests/vms.sh"
"$root/deploy/build.sh" >/dev/null
"$root/deploy/guest/build.sh" >/dev/null
trap end_pair EXIT

gap() { # the longest time between two answers, in ms, since the last call
	in_guest alice 30 'awk -F "[][]" "/bytes from/ {if (last && \$2 - last > most) most = \$2 - last; last = \$2} END {printf \"%d\", most * 1000}" /tmp/pings; : >/tmp/pings'
}

for mode in listen connect; do
	start_pair "$mode"
	# Not a job of the command that starts it: it goes on.
	in_guest alice 30 "setsid /bin/ping -D -i 0.02 ${address[bob]} >>/tmp/pings 2>&1 </dev/null &"
	for signal in TERM KILL; do
		figures=()
		for ((i = 0; i < times; i++)); do
			sleep 2
			gap >/dev/null
			end_switch "$signal"
			start_switch
			reaches bob 60
			sleep 1
			figures+=("$(gap)")
		done
		median=$(printf '%s\n' "${figures[@]}" | sort -n | sed -n "$(((times + 1) / 2))p")
		printf 'outage mode=%s signal=%s median=%s ms (%s)\n' "$mode" "$signal" "$median" "${figures[*]}"
	done
	end_pair
	switch_pid=''
done
