#!/usr/bin/env bash
# Kills all that takes part in serving disks, in the middle of fio's verification.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: tests/block-kills.sh [--keep] [TIMES]

	A VM writes to and verifies two disks with fio and crc32c, over and over: a
	process serves one, another VM the other. Meanwhile, TIMES times (default: 20),
	one after the other: the serving process is killed with SIGKILL and started
	again, the serving VM is reset and boots, the switch is killed with SIGKILL and
	started again, the client VM is reset, the agent in the serving VM is killed
	with SIGKILL and started again. After each, requests must flow again on both
	disks; in the end no run of fio may have had an error. After a reset of the client,
	and in the end, what was written before all of it must be there.

	  --keep  leave the directory with logs and disks
	END
}

keep='' times=20
while (($#)); do
	case $1 in
	-h | --help) usage; exit 0 ;;
	--keep) keep=1 ;;
	[1-9]*) times=$1 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

# shellcheck source=vms.sh
. "$root/tests/vms.sh"
# shellcheck source=disks.sh
. "$root/tests/disks.sh"
"$root/deploy/build.sh" >/dev/null
"$root/deploy/guest/build.sh" --disks >/dev/null
"$root/deploy/guest/build.sh" --server >/dev/null

say() { printf 'kills: %s\n' "$*"; }
fail() {
	say "FAILED: $*" >&2
	for file in "$run"/{switch,store}.log "$run"/*.console.log; do
		[[ ! -s $file ]] || { echo "---- end of $file"; tail -n 15 "$file"; } >&2
	done
	interguest status >&2 || true
	exit 1
}
trap end_disks EXIT
trap 'say "FAILED: line $LINENO: $BASH_COMMAND" >&2' ERR

FIO="fio --direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --minimal"

# Two jobs in the halves of the disk; each run of fio writes all of them, and reads every block again.
start_fio() {
	in_guest client 60 "
		for d in vda vdb; do
			setsid sh -c 'while [ ! -e /tmp/enough ]; do
				$FIO --filename=/dev/\$0 --randrepeat=0 --verify_backlog=256 \
					--name=random --rw=randwrite --bs=4k --iodepth=32 --size=4M \
					--name=sequential --rw=write --bs=64k --iodepth=4 --size=16M --offset=32M >/tmp/\$0.now 2>&1 ||
					{ cat /tmp/\$0.now >>/tmp/\$0.bad; exit; }
				echo >>/tmp/\$0.runs
			done; echo >/tmp/\$0.end' \$d </dev/null >/dev/null 2>&1 &
		done"
}

runs() { in_guest client 30 "cat /tmp/vd?.runs 2>/dev/null | wc -l"; }
both_ran() { in_guest client 30 "[ -s /tmp/vda.runs ] && [ -s /tmp/vdb.runs ]"; }
none_bad() { in_guest client 30 'cat /tmp/vd?.bad 2>/dev/null; dmesg | grep -E "I/O error|Buffer I/O" | head -n 5; [ ! -e /tmp/vda.bad ] && [ ! -e /tmp/vdb.bad ]'; }

# What was written before all kills, and is not written again.
keep_blocks() { # [--verify_only=1]
	in_guest client 120 "
		for d in vda vdb; do
			$FIO --filename=/dev/\$d ${1:-} --name=kept --rw=write --bs=64k --iodepth=4 --size=8M --offset=48M >/tmp/kept 2>&1 || { cat /tmp/kept; exit 1; }
		done"
}

flows() { # PORT COUNT: whether it has answered as many requests more than before
	(($(requests "$1") >= ${before[$1]} + $2))
}

# Requests are answered on both disks, more than were on their way when something happened.
declare -A before=([disk]=0 [vdisk]=0)
flow_again() { # WHAT HAPPENED
	local port
	for port in disk vdisk; do before[$port]=$(requests "$port"); done
	for port in disk vdisk; do
		wait_until 90 "requests flow on $port after $1" flows "$port" 100 || { none_bad; fail "$1"; }
	done
}

do_agent() { end_agent KILL; start_agent; }
do_switch() { end_switch KILL; start_switch; }
do_server() { vm reset server; serve_in_server; }
do_vmagent() { in_guest server 30 'kill -9 $(pidof interguest-agent)'; serve_in_server; }
do_client() {
	wait_until 120 "a run of fio on both disks" both_ran || fail "fio is too slow"
	none_bad || fail "fio had errors before the client was reset"
	vm reset client
	vm wait client --timeout 240 >/dev/null
	keep_blocks --verify_only=1 || fail "what was written before is not there after the client was reset"
	start_fio
}

start_disks
keep_blocks || fail "the disks cannot be written"
start_fio
KINDS=(agent server switch client vmagent)
total=0
for ((i = 1; i <= times; i++)); do
	kind=${KINDS[(i - 1) % ${#KINDS[@]}]}
	flow_again "the kill before"
	[[ $kind != client ]] || total=$((total + $(runs)))
	began=$EPOCHREALTIME
	"do_$kind" || fail "$kind"
	flow_again "$kind"
	say "$i of $times: $kind; all flows again after $(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}') s"
done
in_guest client 240 "touch /tmp/enough; wait_for 200 test -e /tmp/vda.end && wait_for 200 test -e /tmp/vdb.end" || { none_bad; fail "fio does not end"; }
none_bad || fail "fio had errors"
keep_blocks --verify_only=1 || fail "what was written before the kills is not there"
total=$((total + $(runs)))
for port in disk vdisk store vault; do
	faults=$(interguest port show "$port" | grep -E '^(Faults|Fault) ' | grep -v none || true)
	[[ ! $faults ]] || say "port $port: $faults"
done
say "$times kills, $total runs of fio, no error"
