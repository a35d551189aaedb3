#!/usr/bin/env bash
# Makes manual pages of what the programs say with --help.
set -euo pipefail

usage() {
	cat <<-'END'
	usage: deploy/man.sh PROGRAM SECTION >PAGE

	Writes the manual page of a program: its --help, and that of each of its
	commands. PROGRAM is a path; its last part is the page's name.
	END
}

(($# == 2)) || { usage >&2; exit 2; }
program=$1 section=$2 name=$(basename "$1")

escape() { sed -e 's/\\/\\e/g' -e 's/^\./\\\&./' -e "s/^'/\\\\\&'/" -e 's/-/\\-/g'; }

# help [COMMAND...]: without the blank lines at its end
help() { "$program" "$@" --help | sed -e 's/[[:space:]]*$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }

# part NAME <HELP: the lines of one part, 'Description:' to the next blank line
part() { awk -v part="$1:" '$0 == part {on = 1; next} on && $0 == "" {exit} on {sub(/^  /, ""); print}'; }

# commands <HELP: the names of subcommands
commands() { part Commands | awk '/^[a-z]/ {print $1}'; }

literal() { printf '.EX\n'; escape; printf '.EE\n'; }

# section_of TITLE PART <HELP
section_of() {
	local text
	text=$(part "$2")
	[[ $text ]] || return 0
	printf '.PP\n%s\n.RS 4\n' "$1"
	literal <<<"$text"
	printf '.RE\n'
}

body() { # COMMAND...
	local text sub
	text=$(help "$@")
	if (($#)); then
		printf '.SS "%s"\n' "$(escape <<<"$name $*")"
	else
		printf '.SH DESCRIPTION\n'
	fi
	part Description <<<"$text" | escape
	section_of Usage: Usage <<<"$text"
	section_of Arguments: Arguments <<<"$text"
	section_of Options: Options <<<"$text"
	section_of Commands: Commands <<<"$text"
	section_of Remarks: Remarks <<<"$text"
	section_of Examples: Examples <<<"$text"
	(($#)) || [[ ! $(commands <<<"$text") ]] || printf '.SH COMMANDS\n'
	for sub in $(commands <<<"$text"); do body "$@" "$sub"; done
}

version=$("$program" --version | grep -o '[0-9][0-9.]*' | head -n 1)
summary=$(help | part Description | tr '\n' ' ' | sed -e 's/\.\( .*\)\{0,1\}$//')
printf '.\\" Made by deploy/man.sh of %s --help.\n' "$name"
printf '.TH %s %s "" "InterGuest %s"\n' "$(escape <<<"${name^^}")" "$section" "$version"
printf '.SH NAME\n%s \\- %s\n' "$(escape <<<"$name")" "$(escape <<<"$summary")"
printf '.SH SYNOPSIS\n'
help | part Usage | literal
body
printf '.SH "SEE ALSO"\n.BR interguest (1),\n.BR interguest\\-switch (8),\n.BR interguest\\-agent (1)\n'
