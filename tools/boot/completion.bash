# SPDX-License-Identifier: GPL-2.0-only
# Completion of parvus-boot for bash.
_parvus_boot() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	case ${COMP_CWORD}/${COMP_WORDS[1]-} in
	1/*) words="status check try commit rollback update help" ;;
	*/try) words="--force --no-initrd --reboot --kexec" ;;
	*/commit) words="--force" ;;
	*/rollback) words="--previous" ;;
	*) words="" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _parvus_boot parvus-boot
