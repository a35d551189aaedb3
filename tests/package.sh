#!/usr/bin/env bash
# Installs the Debian package on a copy of a system, uses it, purges it, and looks at what is left.
set -euo pipefail

usage() {
	cat <<-'END'
	usage: tests/package.sh [--clean DIRECTORY] PACKAGE.deb       (as root)

	The copy is an overlay of this machine's system, or with --clean of the one in
	DIRECTORY, which is a fresh Debian without .NET, made by debootstrap if it is
	not there. Neither is changed. From 'dpkg -i' to the switch's first answer two
	minutes may pass; nothing that the package or the switch made may be left after
	'dpkg --purge'.
	END
}

lower=/
if [[ ${1:-} = --clean && ${2:-} ]]; then
	lower=$2
	shift 2
fi
(($# == 1)) && [[ -f $1 ]] || { usage >&2; exit 2; }
package=$(readlink -f "$1")
((EUID == 0)) || { echo "package test: only root can mount" >&2; exit 3; }

if [[ ! -x $lower/usr/bin/dpkg ]]; then
	command -v debootstrap >/dev/null || { echo "package test: debootstrap is missing: apt install debootstrap" >&2; exit 3; }
	debootstrap --variant=minbase bookworm "$lower" >"$lower.log" || { tail -n 5 "$lower.log" >&2; exit 1; }
fi
lower=$(readlink -f "$lower")

if [[ ${IN_NAMESPACE:-} ]]; then
	work=$(mktemp -d)
	trap 'umount -R "$work/root" || true' EXIT
	mount -t tmpfs none "$work"
	mkdir "$work"/{upper,work,root}
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" "$work/root"
	mount --rbind /proc "$work/root/proc"
	mount --rbind /dev "$work/root/dev"
	mount -t tmpfs none "$work/root/run"
	mount -t tmpfs -o mode=1777 none "$work/root/tmp"
	cp "$package" "$work/root/tmp/package.deb"
	in_copy() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

	began=$SECONDS
	in_copy dpkg -i /tmp/package.deb >/dev/null
	[[ $lower = / ]] || ! in_copy test -e /usr/share/dotnet || { echo "package test: $lower has .NET: it is not clean" >&2; exit 1; }
	in_copy getent passwd interguest >/dev/null
	in_copy interguest --version
	in_copy interguest-switch --version
	in_copy interguest-agent --version
	for page in 1/interguest 1/interguest-agent 8/interguest-switch; do
		zcat "$work/root/usr/share/man/man${page%/*}/${page#*/}.${page%/*}.gz" | groff -man -Tutf8 -ww >/dev/null
	done
	# As its unit does, without systemd.
	install -d -o "$(in_copy id -u interguest)" -g "$(in_copy id -g interguest)" "$work"/root/{run,var/lib}/interguest
	chroot --userspec=interguest:interguest "$work/root" env -i PATH=/usr/bin /usr/bin/interguest-switch --control unix:/run/interguest/control.sock \
		--socket-dir /run/interguest/ports --state-dir /var/lib/interguest >"$work/log" 2>&1 &
	switch=$!
	for ((i = 0; i < 300; i++)); do
		[[ ! -S $work/root/run/interguest/control.sock ]] || break
		kill -0 "$switch" || { cat "$work/log"; exit 1; }
		sleep 0.1
	done
	in_copy interguest --endpoint unix:/run/interguest/control.sock status >/dev/null
	took=$((SECONDS - began))
	((took <= 120)) || { echo "package test: $took s until the switch answered" >&2; exit 1; }
	in_copy interguest --endpoint unix:/run/interguest/control.sock apply /usr/share/doc/interguest/examples/lan.yaml
	in_copy interguest --endpoint unix:/run/interguest/control.sock status
	kill "$switch"
	wait "$switch" || { cat "$work/log"; exit 1; }
	in_copy test -s /var/lib/interguest/state.json

	in_copy dpkg --purge interguest >/dev/null
	# An overlay keeps what was changed, added or removed in 'upper'; dpkg's own diary and caches stay, and adduser's lock.
	left=$(cd "$work/upper" && find . \( -type f -o -type l -o -type c \) |
		grep -vE '^./(var/lib/dpkg/|var/log/|var/cache/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd\.lock$|etc/ld.so.cache)' || true)
	left+=$(cd "$work/root" && ls -d var/lib/interguest* run/interguest* usr/lib/interguest etc/default/interguest* 2>/dev/null || true)
	left+=$(in_copy getent passwd interguest || true)
	left+=$(in_copy getent group interguest || true)
	[[ ! $left ]] || { printf 'package test: left after the purge:\n%s\n' "$left"; exit 1; }
	echo "package test: installed, answering after $took s, used, purged: nothing is left"
	exit 0
fi
IN_NAMESPACE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" --clean "$lower" "$package"
