#!/usr/bin/env bash
# Runs pairs of guests that do not have the same features, under each policy, and makes docs/negotiation-table.md of what they
# agreed on and how fast they were.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rows=$root/artifacts/negotiation

usage() {
	cat <<-'END'
	usage: tests/Benchmarks/negotiation.sh [ROW...]
	       tests/Benchmarks/negotiation.sh --list | --table

	Runs the rows, or all, each with guests and a switch of its own, and keeps the
	results in artifacts/negotiation. --table makes docs/negotiation-table.md of
	all that are there; --list names the rows. As root, after deploy/build.sh,
	deploy/guest/build.sh and deploy/setup.sh tests.

	  SECONDS_EACH  how long traffic flows, three times a row (default 4)
	END
}

seconds=${SECONDS_EACH:-4}
# shellcheck source=../vms.sh
. "$root/tests/vms.sh"

say() { printf 'negotiation: %s\n' "$*" >&2; }

# What a VM's owner may turn off.
NO_RECEIVE=guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off
NO_RECEIVE_SEGMENTS=guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off
NO_SEND=csum=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off
# An agent that refuses checksums has refused all that requires them.
REFUSE_RECEIVE=guest_csum REFUSE_RECEIVE_SEGMENTS=guest_tso4,guest_tso6

# ---- one row ----------------------------------------------------------------

begin() {
	pids=() spaces=()
	begin_run neg
}

end() {
	local pid space
	for pid in "${pids[@]:-}"; do [[ ! $pid ]] || kill "$pid" 2>/dev/null || true; done
	for space in "${spaces[@]:-}"; do [[ ! $space ]] || ip netns del "$space" 2>/dev/null || true; done
	[[ ! ${switch_pid:-} ]] || end_switch TERM || true
	switch_pid=
	end_pair
	run=
}

link_is() { [[ $(interguest link show "$1" --json | jq -r "$2") = true ]]; }
link_up() { wait_until 60 "link $1 is up" link_is "$1" '.state == "LINK_STATE_UP"'; }

port() { interguest port add "$@" >/dev/null; }
link() { interguest link add "$@" >/dev/null; }
socket() { printf '%s/ports/%s.sock' "$run" "$1"; }

# host NAME ADDRESS [OPTIONS]: a network name space joined to the port of its name by an agent
host() {
	local name=$1 address=$2 space=ig$$$1 tap=igt$1
	shift 2
	ip netns add "$space"
	spaces+=("$space")
	ip netns exec "$space" interguest-agent net --port "$(socket "$name")" --tap "$tap" "$@" </dev/null >>"$run/$name.log" 2>&1 &
	pids+=($!)
	wait_until 20 "$name has its interface" ip -n "$space" address add "$address/24" dev "$tap"
	ip -n "$space" link set "$tap" up
}

in_space() { # NAME COMMAND...
	ip netns exec "ig$$$1" "${@:2}"
}

# Both ends print Mbit/s as received: of TCP, by one program for VMs and one for name spaces.
vm_to_vm() { in_guest alice 60 "iperf_mbit ${address[bob]} -t $seconds"; }

tcp() { python3 "$here/tcp.py" "$@"; }

vm_to_space() {
	in_guest alice 60 "timeout $seconds cat /dev/zero | socat -u - TCP:10.0.0.2:7100,retry=50,interval=0.1; true" >/dev/null &
	local sender=$!
	in_space bob python3 "$here/tcp.py" receive 10.0.0.2 7100
	wait "$sender"
}

space_to_space() {
	in_space alice python3 "$here/tcp.py" send 10.0.0.2 7100 "$seconds" &
	local sender=$!
	in_space bob python3 "$here/tcp.py" receive 10.0.0.2 7100
	wait "$sender"
}

# measure ROW GUEST-A GUEST-B POLICY BASELINE HOW [LINK]: three times; keeps it all
measure() {
	local row=$1 first=$2 second=$3 policy=$4 baseline=$5 how=$6 name=${7:-cable} rates=() link
	for _ in 1 2 3; do rates+=("$($how)"); done
	link=$(interguest link show "$name" --json)
	mkdir -p "$rows"
	jq -n --arg row "$row" --arg a "$first" --arg b "$second" --arg policy "$policy" --arg baseline "$baseline" \
		--argjson link "$link" \
		--argjson first "$(interguest port show "$(jq -r '.ports[0]' <<<"$link")" --json)" \
		--argjson second "$(interguest port show "$(jq -r '.ports[1]' <<<"$link")" --json)" \
		--arg date "$(date +%F)" --arg versions "$(versions)" --argjson rates "$(printf '%s\n' "${rates[@]}" | jq -s .)" \
		'$ARGS.named' >"$rows/$row.json"
	say "$row: ${rates[*]} Mbit/s"
}

versions() {
	printf '%s, Linux %s in the VMs%s, Linux %s, accelerator %s, %s processors' \
		"$(qemu-system-x86_64 --version | head -n 1 | sed 's/ emulator version/ /; s/ (.*//; s/  */ /g')" \
		"$(sed -n 's/^kernel //p' "$root/artifacts/guest/manifest")" \
		"$(command -v dpdk-testpmd >/dev/null && dpkg-query -W -f ', DPDK ${Version}' dpdk-dev 2>/dev/null || true)" \
		"$(uname -r)" "$accel" "$(nproc)"
}

# ---- kinds of rows ----------------------------------------------------------

qemu_qemu() { # ROW A'S PROPERTIES B'S PROPERTIES POLICY BASELINE
	local name
	for name in alice bob; do port "$name" --qmp "$run/$name.switch.qmp"; done
	link cable alice bob --policy "$4"
	boot alice "$2"
	boot bob "$3"
	for name in alice bob; do ready "$name"; done
	in_guest bob 20 iperf_server
	link_up cable
	reaches alice 60
	measure "$1" "QEMU$(described "$2")" "QEMU$(described "$3")" "$4" "$5" vm_to_vm
}

# The same guests, when A's device has been plugged out and in.
replugged() { # ROW A'S PROPERTIES B'S PROPERTIES BASELINE
	interguest link replug cable >&2
	ready alice
	link_up cable
	reaches alice 60
	measure "$1" "QEMU$(described "$2")" "QEMU$(described "$3")" 'auto, then `link replug`' "$4" vm_to_vm
}

described() { # PROPERTIES
	case $1 in
	'') echo ', all offloads' ;;
	"$NO_RECEIVE") echo ', no receive offloads' ;;
	"$NO_RECEIVE_SEGMENTS") echo ', receives checksums, no segments' ;;
	"$NO_SEND") echo ', no transmit offloads' ;;
	*) echo ", $1" ;;
	esac
}

# Alice's frames go through a DPDK program, which is the guest of two ports, to bob.
qemu_dpdk() { # ROW A'S PROPERTIES BASELINE
	local name
	for name in alice bob d0 d1; do port "$name"; done
	link cable alice d0
	link onward d1 bob
	{ sleep 100000 & echo $! >"$run/sleep.pid"; wait; } | dpdk-testpmd --no-huge -m 512 --no-pci --no-telemetry --no-shconf -l 0,1 --file-prefix "ig$$" \
		--vdev "net_virtio_user0,path=$(socket d0)" --vdev "net_virtio_user1,path=$(socket d1)" \
		-- --forward-mode=io --auto-start --nb-cores=1 --total-num-mbufs=16384 >"$run/testpmd.log" 2>&1 &
	boot alice "$2"
	boot bob ''
	pids+=("$(wait_until 20 "testpmd is started" test -s "$run/sleep.pid" && cat "$run/sleep.pid")")
	for name in alice bob; do ready "$name"; done
	in_guest bob 20 iperf_server
	link_up cable
	link_up onward
	reaches alice 60
	measure "$1" "QEMU$(described "$2")" 'DPDK virtio-user, forwards to QEMU' auto "$3" vm_to_vm
}

qemu_agent() { # ROW A'S PROPERTIES WHAT THE AGENT REFUSES POLICY BASELINE
	port alice
	port bob
	link cable alice bob --policy "$4"
	host bob 10.0.0.2 ${3:+--refuse "$3"}
	boot alice "$2"
	ready alice
	link_up cable
	wait_until 60 'alice reaches the host' in_guest alice 5 '/bin/ping -c 1 -W 1 10.0.0.2'
	measure "$1" "QEMU$(described "$2")" "Agent, a host's tap$(refusing "$3")" "$4" "$5" vm_to_space
}

agent_agent() { # ROW WHAT B REFUSES POLICY BASELINE
	port alice
	port bob
	link cable alice bob --policy "$3"
	host alice 10.0.0.1
	host bob 10.0.0.2 ${2:+--refuse "$2"}
	link_up cable
	measure "$1" "Agent, a host's tap" "Agent, a host's tap$(refusing "$2")" "$3" "$4" space_to_space
}

refusing() {
	case $1 in
	'') ;;
	"$REFUSE_RECEIVE") echo ', no receive offloads' ;;
	"$REFUSE_RECEIVE_SEGMENTS") echo ', receives checksums, no segments' ;;
	*) echo ", refuses $1" ;;
	esac
}

# ---- the rows ---------------------------------------------------------------

declare -A ROW=(
	[q1]="qemu_qemu q1 '' '' auto q1"
	[q2]="qemu_qemu q2 '' $NO_RECEIVE_SEGMENTS auto q1"
	[q3]="qemu_qemu q3 '' $NO_RECEIVE auto q1; replugged q5 '' $NO_RECEIVE q1"
	[q4]="qemu_qemu q4 $NO_SEND '' auto q1"
	[q6]="qemu_qemu q6 '' $NO_RECEIVE minimal q1"
	[d1]="qemu_dpdk d1 $NO_SEND d1"
	[d2]="qemu_dpdk d2 '' d1"
	[h1]="qemu_agent h1 '' '' auto h1"
	[h2]="qemu_agent h2 '' $REFUSE_RECEIVE_SEGMENTS auto h1"
	[h3]="qemu_agent h3 '' $REFUSE_RECEIVE auto h1"
	[a1]="agent_agent a1 '' auto a1"
	[a2]="agent_agent a2 $REFUSE_RECEIVE_SEGMENTS auto a1"
	[a3]="agent_agent a3 $REFUSE_RECEIVE_SEGMENTS translate a1"
	[a4]="agent_agent a4 $REFUSE_RECEIVE auto a1"
	[a5]="agent_agent a5 $REFUSE_RECEIVE translate a1"
	[a6]="agent_agent a6 '' minimal a1"
)
mapfile -t all < <(printf '%s\n' "${!ROW[@]}" | sort)

case ${1:-} in
-h | --help) usage; exit 0 ;;
--list) printf '%s\n' "${all[@]}"; exit 0 ;;
--table) ROWS=${all[*]} python3 "$here/negotiation_table.py" "$rows"/*.json >"$root/docs/negotiation-table.md"; exit ;;
esac

accel=$("$vm_script" accel)
run='' switch_pid='' pids=() spaces=()
trap end EXIT
(($#)) || set -- "${all[@]}"
for name in "$@"; do
	[[ ${ROW[$name]:-} ]] || { usage >&2; exit 2; }
	begin
	eval "${ROW[$name]}"
	end
done
trap - EXIT
