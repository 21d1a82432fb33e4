#!/usr/bin/env bash
# Runs the commands by which README.md installs the program, as they stand there: for a user in a home
# directory of its own; and, as root, for the system, in a layer over it that is thrown away.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "readme.sh: $*" >&2; exit 1; }

# block WORD: the block of commands in which a line begins with WORD.
block() {
  awk -v word="$1" '/^```sh$/ { text = ""; is_in = 1; next }
    /^```$/ { if (is_in && ("\n" text) ~ ("\n" word)) printf "%s", text; is_in = 0 }
    is_in { text = text $0 "\n" }' README.md
}

export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
# Where cargo puts the program of a user who has changed nothing.
export HOME=$work/home CARGO_INSTALL_ROOT=$work/home/.cargo CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/readme
# What is built is the same; how fast it is does not matter here.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256
unset XDG_DATA_HOME MANPATH
mkdir -p "$HOME"
PATH=$HOME/.cargo/bin:$PATH
commands=$(block 'cargo install')
[ "$(grep -c . <<< "$commands")" = 2 ] || die "expected two commands, found $commands"
# What root installs is for all users, so this is run as another one.
user=()
if [ "$(id -u)" = 0 ]; then
  user=(setpriv --reuid 54321 --regid 54321 --clear-groups)
  chmod 755 "$work"
fi
head -1 <<< "$commands" | bash -euo pipefail
[ ${#user[@]} = 0 ] || chown -R 54321:54321 "$HOME"
tail -1 <<< "$commands" | "${user[@]}" bash -euo pipefail
[ "$(command -v postie)" = "$HOME/.cargo/bin/postie" ] || die "the program is $(command -v postie)"
[ "$("${user[@]}" man -w postie-config)" = "$HOME/.cargo/share/man/man5/postie-config.5" ] || die 'man does not find its pages'
[ -e "$HOME/.local/share/systemd/user/postie-fetch.timer" ] || die 'there are no units'
grep -qF 'fpath+=(~/.local/share/zsh/site-functions)' README.md || die 'README.md has another place for zsh'
! command -v zsh > /dev/null ||
  [ "$("${user[@]}" zsh -fc 'fpath+=(~/.local/share/zsh/site-functions); autoload -U compinit; compinit -D -u; echo $_comps[postie]')" = _postie ] ||
  die 'zsh does not find its completions'
! command -v fish > /dev/null || "${user[@]}" fish -c 'complete -C "postie fe"' | grep -q '^fetch' ||
  die 'fish does not find its completions'
[ ! -e /usr/share/bash-completion/bash_completion ] ||
  bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader postie; complete -p postie' > /dev/null ||
  die 'bash does not find its completions'
"${user[@]}" postie install --remove
[ -z "$(find "$HOME/.local" -type f 2> /dev/null)" ] || die 'postie install --remove leaves files'

# For the system: sudo is root's already, as which this runs.
if [ "$(id -u)" = 0 ]; then
  block 'sudo install' > "$work/system"
  [ "$(grep -c . "$work/system")" = 2 ] || die "expected two commands, found $(cat "$work/system")"
  unshare --mount --propagation private bash -euo pipefail -c '
    mkdir "$0/layer"
    mount -t tmpfs layer "$0/layer"
    mkdir "$0"/layer/{upper,work,merged}
    mount -t overlay overlay -o lowerdir=/,upperdir="$0/layer/upper",workdir="$0/layer/work" "$0/layer/merged"
    for dir in proc dev; do mount --rbind /$dir "$0/layer/merged/$dir"; done
    root=$0/layer/merged
    install -D "$0/home/.cargo/bin/postie" "$root$0/home/.cargo/bin/postie"
    printf "#!/bin/sh\nexec \"\$@\"\n" > "$root/usr/local/bin/sudo"
    chmod 755 "$root/usr/local/bin/sudo"
    chroot "$root" bash -euo pipefail < "$0/system"
    chroot "$root" /usr/local/bin/postie install --list | grep -v "^installed " && exit 1
    page=$(chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin man -w postie-send)
    [ "$(chroot "$root" readlink -f "$page")" = /usr/local/share/man/man1/postie-send.1 ]
    ! [ -e "$root/usr/lib/systemd/systemd" ] || chroot "$root" systemd-analyze verify --man=no \
      /usr/local/lib/systemd/system/postie-{submit.socket,queue.timer}
  ' "$work"
fi
echo 'readme.sh: README.md installs the program'
