# SPDX-License-Identifier: GPL-2.0-only
# Completion of parvus for bash: commands, their options (from --help), domains, files.
_parvus() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd=${COMP_WORDS[1]-}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(parvus help 2>/dev/null |
			sed -n 's/^  \([a-z-]*\) .*/\1/p')" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(parvus "$cmd" --help 2>/dev/null |
			sed -n '/^  /{s/^ *\(-[^ ,]*\),* *\(--[^ ]*\)*.*/\1 \2/p}')" -- "$cur")
		return
	fi
	case $cmd in
	create) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	help) mapfile -t COMPREPLY < \
		<(compgen -W "$(parvus help | sed -n 's/^  \([a-z-]*\) .*/\1/p')" -- "$cur") ;;
	run) [[ $prev == -[kr] ]] &&
		{ compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); } ;;
	version | dmesg | top) ;;
	trace)
		[[ $prev == -e ]] &&
			mapfile -t COMPREPLY < <(compgen -W "sched wake hypercall fault \
			event domain vector all return syscall exit outcome" -- "$cur")
		;;
	trigger)
		[[ $prev != trigger && $prev != -* ]] &&
			mapfile -t COMPREPLY < <(compgen -W "power reset" -- "$cur") ||
			mapfile -t COMPREPLY < <(compgen -W "$(parvus list 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$cur")
		;;
	network-nat) mapfile -t COMPREPLY < <(compgen -W "start stop status" -- "$cur") ;;
	*)
		if [[ $cmd == @(block-detach|block-resize|block-set|cd-insert|cd-eject) &&
			$prev != "$cmd" && $prev != -* ]]; then
			mapfile -t COMPREPLY < \
				<(compgen -W "$(parvus block-list "$prev" 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$cur")
			[[ $cmd == cd-insert && ${#COMPREPLY[@]} == 0 ]] &&
				{ compopt -o filenames; mapfile -t COMPREPLY < \
				<(compgen -f -- "$cur"); }
		elif [[ $cmd == network-detach && $prev != "$cmd" && $prev != -* ]]; then
			mapfile -t COMPREPLY < \
				<(compgen -W "$(parvus network-list "$prev" 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$cur")
		elif [[ $cmd == block-attach && $prev != block-attach ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		elif [[ $cmd == cp ]]; then
			compopt -o filenames -o nospace
			mapfile -t COMPREPLY < <(compgen -f -- "$cur"
				compgen -S : -W "$(parvus list 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$cur")
		elif [[ ($cmd == dump-core && $prev != dump-core) ||
			$cmd == @(image-info|restore) || ($cmd == save && $prev != save) ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(parvus list 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$cur")
		fi
		;;
	esac
}
complete -F _parvus parvus xl xm
