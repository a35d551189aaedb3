#!/usr/bin/env bash
# Two Linux guests, joined by one InterGuest switch: from nothing to traffic, or to a disk.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
	cat <<-'END'
	usage: deploy/demo.sh [block] [--keep | --stop]

	Installs what is missing (deploy/setup.sh), builds the switch and a small
	Linux guest, starts the switch and two virtual machines joined by it, and
	sends ping, TCP and a checksummed file through. It shows every command that
	it runs, and leaves nothing behind but build products in artifacts/ and bin/.
	Exit status 0: all checks were good.

	  block   one machine serves its disk to the other, and is rebooted in the middle
	          of a copy
	  --keep  leave the switch and both guests running, and say what to try
	  --stop  end what --keep left
	END
}

vm_script=$root/deploy/guest/vm.sh
kept=$root/artifacts/demo.kept # run directories of demos that were left running
guests=(alice bob)
declare -A address=([alice]=10.0.0.1 [bob]=10.0.0.2)
keep='' run='' guest_job='' switch_job='' keep_at_end=''

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' green='' red='' plain=''; fi

step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s\n' "$*"; }
fail() { printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2; exit 1; }
show() { # COMMAND...: as somebody would type it, and its output
	printf '%s$ %s%s\n' "$dim" "$*" "$plain"
	"$@"
}
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'; }

# ---- the end --------------------------------------------------------------

switch_alive() { # RUN
	local pid
	pid=$(cat "$1/switch.pid" 2>/dev/null) && grep -aqF -- "$1/control.sock" "/proc/$pid/cmdline" 2>/dev/null
}

wait_switch_gone() { # RUN SECONDS
	local tries=$(($2 * 20))
	while switch_alive "$1" && ((tries-- > 0)); do sleep 0.05; done
	! switch_alive "$1"
}

stop_switch() { # RUN: false if it had to be killed
	switch_alive "$1" || return 0
	kill -TERM "$(cat "$1/switch.pid")" 2>/dev/null || true
	# 0 is said, because a bare return in a trap means the status before the trap
	wait_switch_gone "$1" 10 && return 0
	kill -KILL "$(cat "$1/switch.pid")" 2>/dev/null || true
	wait_switch_gone "$1" 5 || true
	return 1
}

end_run() { # RUN
	local file status=0
	[[ -d $1 ]] || return 0
	for file in "$1"/*.pid; do
		[[ $file = */switch.pid ]] || "$vm_script" stop "$(basename "$file" .pid)" --run "$1" || status=1
	done
	stop_switch "$1" || { say "the switch did not end on SIGTERM within 10 s" >&2; status=1; }
	rm -rf "$1"
	return $status
}

stop_kept() {
	local directory
	[[ -s $kept ]] || { say "no demo was left running"; return; }
	while read -r directory; do
		end_run "$directory" && say "ended the demo in $directory"
	done <"$kept"
	rm -f "$kept"
}

clean_up() {
	local status=$?
	trap - EXIT INT TERM
	if [[ $guest_job ]]; then kill "$guest_job" 2>/dev/null || true; fi
	if [[ $run && ! $keep ]]; then end_run "$run" || status=1; fi
	exit "$status"
}

# ---- preparations ---------------------------------------------------------

prepare() {
	step "What this needs"
	cd "$root"
	show deploy/setup.sh demo
	step "Building"
	mkdir -p "$root/artifacts"
	# Side by side: the guest mostly waits for downloads, and for the look
	# whether KVM works.
	{ build_guests && "$vm_script" accel >"$root/artifacts/demo.accel"; } >"$root/artifacts/demo.guest.log" 2>&1 &
	guest_job=$!
	say "${dim}\$ deploy/guest/build.sh &${plain}"
	show deploy/build.sh
	if ! wait "$guest_job"; then
		guest_job=
		cat "$root/artifacts/demo.guest.log" >&2
		fail "the guest could not be built"
	fi
	guest_job=
	cat "$root/artifacts/demo.guest.log"
	accel=${INTERGUEST_ACCEL:-$(cat "$root/artifacts/demo.accel")}
	rm -f "$root"/artifacts/demo.{accel,guest.log}
	case $accel in
	kvm) say "The guests run on KVM." ;;
	*) say "KVM does not work here, so QEMU emulates the processors: all below is some ten times slower." ;;
	esac
}

start_switch() {
	local tries
	step "The switch"
	run=$(mktemp -d "${TMPDIR:-/tmp}/interguest.XXXXXX")
	export PATH=$root/bin:$PATH INTERGUEST_ENDPOINT=unix:$run/control.sock
	printf '%s$ interguest-switch --control unix:%s/control.sock --socket-dir %s/ports --state-dir %s/state &%s\n' \
		"$dim" "$run" "$run" "$run" "$plain"
	# In a session of its own: Ctrl-C is for this script, which ends it in order.
	setsid "$root/bin/interguest-switch" --control "unix:$run/control.sock" --socket-dir "$run/ports" --state-dir "$run/state" \
		</dev/null >"$run/switch.log" 2>&1 &
	switch_job=$!
	echo "$switch_job" >"$run/switch.pid"
	disown "$switch_job"
	for ((tries = 200; ; tries--)); do
		[[ -S $run/control.sock ]] && interguest port list >/dev/null 2>&1 && break
		kill -0 "$switch_job" 2>/dev/null || { cat "$run/switch.log" >&2; fail "the switch ended at once"; }
		((tries > 0)) || { cat "$run/switch.log" >&2; fail "the switch does not answer on $run/control.sock"; }
		sleep 0.1
	done
	say "${dim}\$ export INTERGUEST_ENDPOINT=$INTERGUEST_ENDPOINT${plain}"
}

build_guests() { "$root/deploy/guest/build.sh"; }

make_link() {
	show interguest port add alice
	show interguest port add bob
	show interguest link add cable alice bob
}

start_guests() {
	local guest began=$EPOCHREALTIME arguments
	step "Two virtual machines"
	for guest in "${guests[@]}"; do
		arguments=$(interguest qemu "$guest" --memory 256M --accel "$accel")
		say "${dim}\$ interguest qemu $guest --memory 256M --accel $accel${plain}"
		say "$arguments"
		# shellcheck disable=SC2016 # to be read, not run
		printf '%s$ eval "deploy/guest/vm.sh start %s --run %s -- $(interguest qemu %s ...)"%s\n' "$dim" "$guest" "$run" "$guest" "$plain"
		eval "\"\$vm_script\" start \$guest --run \$run -- $arguments"
	done
	say "Below, 'vm VERB NAME' is short for: deploy/guest/vm.sh VERB NAME --run $run"
	for guest in "${guests[@]}"; do
		show vm wait "$guest" --timeout 180
		say "$guest is up after $(seconds_since "$began") s"
		in_guest "$guest" "uname -nr; ip address add ${address[$guest]}/24 dev eth0; ip link set eth0 up"
	done
}

# ---- checks ---------------------------------------------------------------

vm() { # VERB NAME ...: vm.sh on this demo's run directory
	local verb=$1 name=$2
	shift 2
	"$vm_script" "$verb" "$name" --run "$run" "$@"
}

in_guest() { # GUEST COMMAND: shown on stderr, for stdout may be wanted
	printf "%s\$ vm exec %s -- '%s'%s\n" "$dim" "$1" "$2" "$plain" >&2
	vm exec "$1" --timeout 120 -- "$2"
}

results=() bad=0
result() { # STATUS WHAT FIGURE
	local mark="${green}ok${plain}    "
	(($1 == 0)) || { mark="${red}FAILED${plain}"; bad=$((bad + 1)); }
	results+=("$(printf '%s  %-34s %s' "$mark" "$2" "$3")")
}

ping_from() { # GUEST OTHER
	local output status=0 figure
	# The first one waits for address resolution; that says nothing about the way.
	output=$(in_guest "$1" "ping -c 1 -W 10 ${address[$2]} >/dev/null; ping -c 5 -i 0.2 ${address[$2]}") || status=$?
	say "$output"
	figure=$(sed -n 's|^rtt [^=]*= [^/]*/\([^/]*\)/.*|\1 ms on average|p' <<<"$output")
	[[ $output = *' 0% packet loss'* ]] || status=1
	result "$status" "ping $1 -> $2" "$figure"
}

tcp_from() { # GUEST OTHER
	local output status=0 figure client
	in_guest "$1" "iperf3 -c ${address[$2]} -t 4 -i 0 -f m" >"$run/iperf" &
	client=$!
	sleep 1.5
	show interguest status --interval 1 # in the middle of it
	wait "$client" || status=$?
	output=$(cat "$run/iperf")
	say "$output"
	figure=$(sed -n 's|.* \([0-9.]*\) Mbits/sec.*receiver.*|\1|p' <<<"$output")
	[[ $figure && $figure != 0* ]] || status=1
	result "$status" "TCP $1 -> $2" "${figure:-no} Mbit/s"
}

MIB=64
transfer() { # GUEST OTHER: a file of random bytes, compared by SHA-256
	local sent received status=0 began seconds receiver
	in_guest "$1" "dd if=/dev/urandom of=/tmp/file bs=1M count=$MIB" || status=1
	in_guest "$2" "socat -u TCP-LISTEN:7000 OPEN:/tmp/file,creat && sha256sum /tmp/file && rm /tmp/file" >"$run/received" &
	receiver=$!
	began=$EPOCHREALTIME
	in_guest "$1" "socat -u OPEN:/tmp/file TCP:${address[$2]}:7000,retry=50,interval=0.1" || status=1
	seconds=$(seconds_since "$began")
	sent=$(in_guest "$1" "sha256sum /tmp/file && rm /tmp/file") || status=1
	wait "$receiver" || status=1
	received=$(cat "$run/received")
	say "$1 sent     $sent"
	say "$2 received $received"
	[[ ${#sent} -ge 64 && $sent = "$received" ]] || status=1
	result "$status" "$MIB MiB $1 -> $2, SHA-256 equal" "$seconds s"
}

frames() { # of the link, first one direction, then the other
	interguest link show cable --json | tr -d ' \n' | grep -o '"to":"[a-z]*","frames":"\?[0-9]*' | grep -o '[0-9]*$' | tr '\n' ' '
}

check_counters() { # BEFORE AFTER
	local before after i status=0
	read -ra before <<<"$1"
	read -ra after <<<"$2"
	((${#after[@]} == 2)) || status=1
	for i in "${!after[@]}"; do ((after[i] > ${before[i]:-0})) || status=1; done
	result "$status" "the link's counters moved" "${after[*]:-none} frames there and back, before: ${before[*]:-none}"
}

checks() {
	local before guest
	step "What the switch sees"
	show interguest status
	show interguest link show cable
	before=$(frames) || before=
	step "Ping"
	ping_from alice bob
	ping_from bob alice
	step "TCP throughput"
	for guest in "${guests[@]}"; do in_guest "$guest" "iperf3 -s -D"; done
	tcp_from alice bob
	tcp_from bob alice
	step "A file, byte by byte"
	transfer alice bob
	step "What the switch has counted"
	show interguest status
	show interguest link show cable
	check_counters "$before" "$(frames)"
}

summary() {
	step "Summary ($([[ $accel = kvm ]] && echo KVM || echo 'software emulation'), $SECONDS s in all)"
	printf '%s\n' "${results[@]}"
	if ((bad)); then
		printf '\n%s%d of %d checks failed.%s The end of the switch'\''s log:\n' "$red" "$bad" "${#results[@]}" "$plain"
		tail -n 20 "$run/switch.log"
	else
		printf '\n%sAll %d checks were good.%s\n' "$green" "${#results[@]}" "$plain"
	fi
}

explain_keep() {
	cat <<-END

	${bold}All is left running.${plain} From $root:

	  a guest's console (root shell, Ctrl-] leaves)
	    deploy/guest/vm.sh console alice --run $run
	    deploy/guest/vm.sh console bob --run $run
	    In it: ping ${address[bob]}; tcpdump -ni eth0; ethtool -k eth0; reboot

	  the switch
	    export INTERGUEST_ENDPOINT=$INTERGUEST_ENDPOINT
	    bin/interguest watch              # what happens, as it happens
	    bin/interguest port show alice    # features by name, counters, drops
	    bin/interguest link down cable    # pull the cable; 'link up cable' again
	    log: $run/switch.log

	  a command in a guest, from here
	    deploy/guest/vm.sh exec alice --run $run -- 'ping -c 3 ${address[bob]}'

	  what happens when a guest is reset, or dies (it forgets its address)
	    deploy/guest/vm.sh reset bob --run $run
	    deploy/guest/vm.sh exec bob --run $run -- 'net_up eth0 ${address[bob]}/24'
	    deploy/guest/vm.sh kill bob --run $run

	  the end
	    deploy/demo.sh --stop
	END
}

if [[ ${1:-} = block ]]; then
	shift
	# shellcheck source=demo-block.sh
	. "$root/deploy/demo-block.sh"
fi
case ${1:-} in
'') ;;
--keep) keep_at_end=1 ;;
--stop) stop_kept; exit ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
prepare
start_switch
make_link
start_guests
checks
summary
if [[ $keep_at_end ]]; then
	echo "$run" >>"$kept"
	keep=1
	explain_keep
fi
((bad == 0))
