# shellcheck shell=sh
# Helpers for commands in the guest; every command of 'vm.sh exec' and every
# console shell has them. Behind busybox's timeout, setsid and xargs write
# /bin/ping and /bin/ip: for the bare names they take busybox's own.

# nic [MAC|INDEX]: name of a virtio network interface, by its address or by its
# place in PCI order (0, 1, ...; default 0). Waits up to 10 s for it to appear.
nic() {
	_tries=100
	while [ $_tries -gt 0 ]; do
		_n=0
		# shellcheck disable=SC2012 # kernel names
		for _d in $(ls -d /sys/bus/pci/devices/*/virtio*/net/* 2>/dev/null | sort); do
			case ${1:-0} in
			*:*) [ "$(cat "$_d/address")" = "$(echo "$1" | tr A-F a-f)" ] && { echo "${_d##*/}"; return; } ;;
			"$_n") echo "${_d##*/}"; return ;;
			esac
			_n=$((_n + 1))
		done
		usleep 100000
		_tries=$((_tries - 1))
	done
	echo "no network interface ${1:-0}" >&2
	return 1
}

# net_up INTERFACE ADDRESS/PREFIX [MTU]
net_up() {
	[ -z "$3" ] || ip link set "$1" mtu "$3" || return
	ip addr flush dev "$1" && ip addr add "$2" dev "$1" && ip link set "$1" up
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	_end=$(($(cut -d. -f1 /proc/uptime) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $_end ] || return 1
		usleep 100000
	done
}

# features INTERFACE|DISK: numbers of the virtio feature bits in use
features() {
	cat "/sys/class/net/$1/device/features" "/sys/block/$1/device/features" 2>/dev/null |
		awk '{for (i = 1; i <= length($1); i++) if (substr($1, i, 1) == "1") {printf "%s%d", sep, i - 1; sep = " "}} END {print ""}'
}

# iperf_server: an iperf3 server in the background, once per guest
iperf_server() { pidof iperf3 >/dev/null || iperf3 -s -D; }

# iperf_mbit ADDRESS [IPERF3 OPTIONS]: throughput as received, in Mbit/s
iperf_mbit() {
	_to=$1
	shift
	_o=$(iperf3 -c "$_to" -f m "$@" 2>&1) || { echo "$_o" | tail -n 3 >&2; return 1; }
	echo "$_o" | sed -n 's/.* \([0-9.]*\) Mbits\/sec.*receiver.*/\1/p' | tail -n 1
}

# to_user_space ADDRESS: takes a PCI function from the kernel's driver, for interguest-agent --pci
to_user_space() {
	modprobe uio_pci_generic || return
	_f=/sys/bus/pci/devices/$1
	echo uio_pci_generic >$_f/driver_override || return
	[ ! -e $_f/driver ] || echo "$1" >$_f/driver/unbind
	echo "$1" >/sys/bus/pci/drivers_probe
	[ -d $_f/uio ]
}

# serve_disk DEVICE [OPTIONS]: interguest-agent serves it in the background on the first network device, which it
# takes from the kernel. Again after it was killed: anew, on the same one.
serve_disk() {
	if [ ! -s /run/serving ]; then
		_p=$(readlink -f "/sys/class/net/$(nic)/device/..") || return
		to_user_space "${_p##*/}" || return
		echo "${_p##*/}" >/run/serving
	fi
	setsid interguest-agent serve-block --pci "$(cat /run/serving)" --image "$@" </dev/null >/tmp/serve.log 2>&1 &
	wait_for 90 grep running /tmp/serve.log || { cat /tmp/serve.log; return 1; }
}
