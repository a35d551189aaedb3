#!/usr/bin/env bash
# Makes sure that the programs InterGuest's scripts call are on this machine.
set -euo pipefail

usage() {
	cat <<-'END'
	usage: deploy/setup.sh [demo|tests|build]

	Checks for what is missing and installs only that, with this machine's own
	apt and its own package sources.

	  demo    what deploy/demo.sh needs: QEMU and socat, and all of 'build' (default)
	  tests   demo, and DPDK's testpmd, QEMU's disk tools, Python's gRPC and scapy, spin,
	          tcpdump and Chromium for the tests, and the QEMU of Debian 13 in
	          artifacts/qemu-trixie (if it can be had; not installed)
	  build   what building needs: the .NET 10 SDK (only checked, never installed)

	Exit status: 0 all is there; 1 something failed; 2 wrong usage;
	3 packages are missing and may not be installed from here: the line to run
	is printed.
	END
}

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

QEMU_MIN=7.2

# Debian's own Python: another python3 earlier in PATH (pyenv, conda) does not
# see Debian's modules, so the tests call this one, too.
PYTHON=/usr/bin/python3

PACKAGES=()
want() { # PACKAGE WHY CHECK...: note the package if the check fails
	local package=$1 why=$2
	shift 2
	"$@" >/dev/null 2>&1 && return
	say "missing: $package ($why)"
	PACKAGES+=("$package")
}

have() { command -v "$1"; }
has_trusted_certificates() { [[ -s ${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} ]]; }
python_can() { "$PYTHON" -c "import $1"; }
has_library() { compgen -G "/usr/lib/*/$1"; }
has_testpmd() { have dpdk-testpmd; }

check_qemu_version() {
	local version
	version=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9]*\.[0-9]*\).*/\1/p')
	if [[ $(printf '%s\n' "$QEMU_MIN" "$version" | sort -V | head -n 1) != "$QEMU_MIN" ]]; then
		fail "qemu-system-x86_64 is version $version, but at least $QEMU_MIN is needed: use Debian 12 or newer"
	fi
	say "QEMU $version"
}

check_dotnet() {
	local sdks
	# Without ICU the dotnet command itself would refuse to start.
	if ! compgen -G '/usr/lib/*/libicuuc.so.*' >/dev/null; then
		export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
	fi
	sdks=$(dotnet --list-sdks 2>/dev/null) || true
	if ! grep -q '^10\.' <<<"$sdks"; then
		fail "the .NET SDK 10 is missing (dotnet --list-sdks shows: ${sdks:-none}).
       Install it from https://dotnet.microsoft.com/download/dotnet/10.0, or with
       Microsoft's dotnet-install.sh --channel 10.0, and put 'dotnet' in PATH."
	fi
	say ".NET SDK $(grep '^10\.' <<<"$sdks" | tail -n 1 | cut -d' ' -f1)"
}

as_root=()
find_root() {
	((EUID == 0)) && return
	if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
		as_root=(sudo)
		return
	fi
	say "this needs root. Please run:" >&2
	printf '\n    sudo apt-get update && sudo apt-get install --no-install-recommends -y %s\n\n' "${PACKAGES[*]}" >&2
	exit 3
}

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >>"$LOG" 2>&1; }

install_packages() {
	((${#PACKAGES[@]})) || return 0
	command -v apt-get >/dev/null ||
		fail "there is no apt-get here: install with this system's own package manager what Debian calls ${PACKAGES[*]}"
	find_root
	LOG=$(mktemp "${TMPDIR:-/tmp}/interguest-setup.XXXXXX")
	say "installing ${PACKAGES[*]}"
	# A failing update is no reason to stop: one unreachable third-party source
	# fails it, and what is wanted here comes from Debian itself.
	apt update || say "apt-get update complained (see $LOG); trying all the same"
	if ! apt install --no-install-recommends "${PACKAGES[@]}"; then
		tail -n 25 "$LOG" >&2
		fail "apt-get install failed; the whole log is $LOG"
	fi
	rm -f "$LOG"
}

for_build() {
	want ca-certificates "NuGet downloads over HTTPS" has_trusted_certificates
}
for_demo() {
	for_build
	want qemu-system-x86 "runs the guests" have qemu-system-x86_64
	want socat "talks to the guests' consoles and to QEMU" have socat
}
for_tests() {
	for_demo
	want qemu-utils "reads and writes disks over NBD" have qemu-io
	want e2fsprogs "makes a disk to boot from" test -x /sbin/mke2fs
	want dpdk-dev "a second, independent vhost-user front-end: dpdk-testpmd" has_testpmd
	want libvirt-clients "checks the XML that is printed for libvirt" have virt-xml-validate
	want libxml2-utils "virt-xml-validate calls xmllint" have xmllint
	want libseccomp2 "runs the switch under its unit's system-call filter" has_library libseccomp.so.2
	want python3 "a client in another language" test -x "$PYTHON"
	want python3-grpcio "a client in another language" python_can grpc
	want python3-protobuf "a client in another language" python_can google.protobuf
	want python3-scapy "an independent reading of packets" python_can scapy
	want spin "verifies the models in tests/models" have spin
	want gcc "compiles what spin makes" have gcc
	want libc6-dev "compiles what spin makes" test -e /usr/include/stdlib.h
	want tcpdump "reads what the switch captures" have tcpdump
	want groff-base "reads the manual pages of the package" have groff
	want chromium "looks at the switch's page" have chromium
}

what=${1:-demo}
case $what in
-h | --help) usage; exit 0 ;;
demo | tests | build) (($# <= 1)) || { usage >&2; exit 2; } ;;
*) usage >&2; exit 2 ;;
esac

"for_$what"
install_packages
[[ $what = build ]] || check_qemu_version
check_dotnet
# A second QEMU, of another age. Without it the tests that want it are skipped.
[[ $what != tests ]] || "$(dirname "$0")/guest/qemu.sh" || say "going on without the QEMU of Debian 13"
say "all that '$what' needs is here"
