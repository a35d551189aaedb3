#!/usr/bin/env bash
# Runs two VMs on a switch for long, under all that happens in a long life, and looks whether anything grows.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/soak.sh MINUTES [PATIENCE]

	Traffic both ways all the time; the link is set down and up every few seconds; a
	guest is reset every two minutes; the switch is ended every minute, in turn with
	SIGTERM and SIGKILL, and started again. After each of these the guests must reach
	each other within PATIENCE seconds (300: software emulation on a busy machine is
	slow); how long it took is in the table.

	Every life of the switch is sampled at its end (memory, descriptors, threads) and
	in its middle; the samples are printed as a table. Exit status 1: a
	link was stuck, a step failed (it is said which, and the logs are kept), or the
	last third of the lives needed clearly more than the first.
	END
}

[[ ${1:-} =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }
minutes=$1
# shellcheck source=vms.sh
. "$root/tests/vms.sh"
"$root/deploy/build.sh" >/dev/null
"$root/deploy/guest/build.sh" >/dev/null
trap end_pair EXIT
patience=${2:-300}
export QMP_TIMEOUT=$patience

say() { printf 'soak %s: %s\n' "$(date +%H:%M:%S)" "$*"; }

# Whatever ends the run says what it was.
failed() { # LINE COMMAND
	trap - ERR
	keep=1
	{ # the step may write elsewhere
		say "FAILED at line $1: $2; all logs are in $run"
		cat "$run/samples" || true
		tail -n 20 "$run/switch.log" || true
	} >&2
	exit 1
}
trap 'failed "$LINENO" "$BASH_COMMAND"' ERR
set -E

traffic() { # both ways, until the guest is reset
	in_guest "$1" "$patience" "setsid /bin/ping -q -i 0.002 -s 1400 $2 >/dev/null 2>&1 </dev/null &"
}

sample() { # LIFE WHEN
	local rss threads fds
	rss=$(awk '/^VmRSS/ {print $2}' "/proc/$switch_pid/status")
	threads=$(awk '/^Threads/ {print $2}' "/proc/$switch_pid/status")
	fds=$(find "/proc/$switch_pid/fd" -mindepth 1 | wc -l)
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$rss" "$fds" "$threads" "$slowest" >>"$run/samples"
}

must_reach() { # AFTER
	local began=$SECONDS
	if ! reaches alice "$patience" || ! reaches bob "$patience"; then
		say "STUCK after $1"
		interguest status || true
		false
	fi
	((SECONDS - began <= slowest)) || slowest=$((SECONDS - began))
}

flap_until() { # SECONDS
	while ((SECONDS < $1)); do
		interguest link down cable >/dev/null
		sleep 0.3
		interguest link up cable >/dev/null
		sleep 3
	done
}

start_pair listen
traffic alice "${address[bob]}"
traffic bob "${address[alice]}"
end=$((SECONDS + minutes * 60))
slowest=0
for ((life = 1; SECONDS < end; life++)); do
	began=$SECONDS
	flap_until $((began + 25))
	sample "$life" middle
	if ((life % 2 == 0)); then
		vm reset bob
		ready bob
		traffic bob "${address[alice]}"
		must_reach "a reset of bob"
	fi
	flap_until $((began + 55))
	must_reach "flaps of the link"
	sample "$life" end
	signal=TERM
	((life % 2)) || signal=KILL
	end_switch "$signal"
	start_switch
	must_reach "SIG$signal to the switch"
	say "life $life: $(tail -n 1 "$run/samples" | awk '{print $3 " KiB, " $4 " descriptors, " $5 " threads"}')"
done

echo 'life	when	KiB	fds	threads	slowest return so far (s)'
cat "$run/samples"
awk -v lives=$((life - 1)) '
	$2 == "end" {n++; for (c = 3; c <= 5; c++) v[n, c] = $c}
	END {
		third = int((n + 2) / 3)
		split("3 4 5", columns, " "); name[3] = "memory KiB"; name[4] = "descriptors"; name[5] = "threads"
		slack[3] = 1.3; slack[4] = 1.05; slack[5] = 1.25
		for (i = 1; i <= 3; i++) {
			c = columns[i]; first = last = 0
			for (j = 1; j <= third; j++) {first += v[j, c] / third; last += v[n - j + 1, c] / third}
			grows = last > first * slack[c]
			bad += grows
			printf "%s: %.0f in the first third, %.0f in the last: %s\n", name[c], first, last, grows ? "GROWS" : "does not grow"
		}
		exit bad > 0
	}' "$run/samples"
say "$((life - 1)) lives of the switch, no stuck link"
