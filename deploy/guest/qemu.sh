#!/usr/bin/env bash
# Unpacks the QEMU of another Debian release beside the installed one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
	cat <<-'END'
	usage: deploy/guest/qemu.sh [options] [OUTDIR]

	Downloads the QEMU of another Debian release, with the libraries it was built
	with, and unpacks both below OUTDIR (default: artifacts/qemu-RELEASE in the
	repository). Nothing is installed, and no root is needed. Afterwards
	OUTDIR/qemu-system-x86_64 runs it; vm.sh takes it with --qemu. It does nothing
	if it is there already.

	  --release NAME   (default: trixie, which is Debian 13, with QEMU 10)
	  --refresh        take the newest packages again

	Exit status: 0 it is there; 1 something failed; 3 the packages cannot be had
	from here.
	END
}

say() { printf 'qemu: %s\n' "$*"; }
fail() { printf 'qemu: %s\n' "$1" >&2; exit "${2:-1}"; }

out='' release=trixie refresh=''
while (($#)); do
	case $1 in
	-h | --help) usage; exit 0 ;;
	--refresh) refresh=1 ;;
	--release) (($# >= 2)) || { usage >&2; exit 2; }; release=$2; shift ;;
	-*) usage >&2; exit 2 ;;
	*) out=$1 ;;
	esac
	shift
done
out=${out:-$here/../../artifacts/qemu-$release}
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.lock"
flock 9
if [[ ! $refresh && -x $out/qemu-system-x86_64 ]] && "$out/qemu-system-x86_64" --version 9>&- >/dev/null 2>&1; then
	say "$("$out/qemu-system-x86_64" --version | head -n 1) is in $out"
	exit 0
fi
for tool in apt-get dpkg-deb; do
	command -v "$tool" >/dev/null || fail "'$tool' is missing: this works on Debian" 3
done

# ---- packages -------------------------------------------------------------

# The mirrors that this machine uses, asked for the other release.
mirror() { # main|security
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
		awk -v security="$([[ $1 = security ]] && echo 1 || echo 0)" \
			'$1 ~ /debian/ && ($2 ~ /-security$/) == security { sub(/\/$/, "", $1); print $1; exit }'
}
main=$(mirror main)
security=$(mirror security)
[[ $main ]] || fail "this machine has no Debian mirror in its apt sources" 3

apt=$out/apt log=$out/apt.log
mkdir -p "$apt"/{lists,archives}/partial
[[ ! $refresh ]] || rm -f "$apt/archives"/*.deb
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
{
	echo "deb [signed-by=$keyring] $main $release main"
	[[ ! $security ]] || echo "deb [signed-by=$keyring] $security $release-security main"
} >"$apt/sources.list"

# An apt that knows nothing of this machine: of an empty one, to which all has
# to be brought, down to the C library.
options=(-q -y -o "APT::Sandbox::User=$(id -un)" -o "Dir::Etc::sourcelist=$apt/sources.list"
	-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
	-o "Dir::State::lists=$apt/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$apt"
	-o Acquire::Languages=none -o APT::Architecture=amd64 -o APT::Architectures=amd64)
say "fetching the package lists of $release"
apt-get "${options[@]}" update >"$log" 2>&1 || fail "the package lists of $release cannot be had from $main: see $log" 3
say "fetching its QEMU"
apt-get "${options[@]}" --no-install-recommends --download-only install qemu-system-x86 seabios >>"$log" 2>&1 ||
	fail "the packages of $release cannot be had from $main: see $log" 3

# ---- unpacking ------------------------------------------------------------

root=$out/root
rm -rf "$root"
mkdir -p "$root/usr"/{bin,lib,lib64,sbin}
for directory in bin lib lib64 sbin; do ln -s "usr/$directory" "$root/$directory"; done
for package in "$apt/archives"/*.deb; do
	case ${package##*/} in
	# Programs and files of a whole system, of which QEMU needs none.
	perl* | systemd* | coreutils* | dpkg* | tar_* | debconf* | util-linux* | adduser* | passwd* | openssl_* | dbus*) continue ;;
	esac
	dpkg-deb -x "$package" "$root"
done
rm -rf "$root/usr/share"/{doc,man,locale,info}

cat >"$out/qemu-system-x86_64" <<'END'
#!/bin/sh
# QEMU of another Debian release with its own libraries; made by deploy/guest/qemu.sh.
root=$(dirname "$(readlink -f "$0")")/root
libraries=$root/usr/lib/x86_64-linux-gnu
QEMU_MODULE_DIR=$libraries/qemu
export QEMU_MODULE_DIR
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --argv0 qemu-system-x86_64 --library-path "$libraries" \
	"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
END
chmod +x "$out/qemu-system-x86_64"
"$out/qemu-system-x86_64" --version 9>&- >/dev/null || fail "the QEMU unpacked in $out does not run"
say "$("$out/qemu-system-x86_64" --version | head -n 1) is in $out"
