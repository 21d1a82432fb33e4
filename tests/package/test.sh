#!/usr/bin/env bash
# Shows that the packages do what they promise, as root, on Debian:
#
#   tests/package/test.sh deb          they install, run, take the place of another mailer, and go
#   tests/package/test.sh tarball      the static program runs where there is nothing else
#   tests/package/test.sh system       on a fresh Debian every user sends, and none knows the password
#   tests/package/test.sh same         a build in another directory, for another user, is the same
#
# Each builds what it needs; with PROGRAM=FILE, the first two package that program and do not look for
# paths of this machine in it, and the third runs it. Nothing is changed outside target/ and temporary directories.
set -euo pipefail
cd "$(dirname "$0")/../.."
tree=$PWD work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "test.sh: $*" >&2; exit 1; }

deb() {
  tests/package/package.sh deb
  local debs=("$PWD"/target/package/out/*.deb)
  [ ${#debs[@]} = 2 ] || die "expected two packages, found ${debs[*]}"
  [ -n "${PROGRAM:-}" ] || no_build_paths target/package/stage/usr/bin/postie
  # Of the C library it needs the version that README.md states, or an earlier one.
  local needed stated
  needed=$(objdump -T target/package/stage/usr/bin/postie | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -1)
  stated=$(sed -n 's/.*need glibc \([0-9.]*\) or later.*/\1/p' README.md)
  [ "$(printf '%s\n' "$needed" "$stated" | sort -V | tail -1)" = "$stated" ] || die "it needs glibc $needed"
  # There is no address of a maintainer yet.
  ! command -v lintian > /dev/null ||
    lintian --allow-root --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "${debs[@]}"

  # Into a root with nothing in it, and out again.
  local root=$work/root home=~root
  mkdir -p "$root"/{etc,var/lib/dpkg/{info,updates}} "$root$home/.local/state/postie/outbox/waiting/1"
  touch "$root/var/lib/dpkg/status"
  echo "root:x:0:0:root:$home:/bin/sh" > "$root/etc/passwd"
  # The system's user stays behind in /etc.
  files() {
    (cd "$root" && find . -path ./var/lib/dpkg -prune -o -path ./var/log -prune -o -path ./etc -prune -o -print | sort)
  }
  dpkg_there() { dpkg --root="$root" --log=/dev/null --force-script-chrootless --force-depends "$@"; }
  files > "$work/before"
  dpkg_there -i "${debs[@]}" > /dev/null 2>&1
  "$root/usr/bin/postie" --version > /dev/null
  [ "$("$root/usr/sbin/sendmail" -bp)" = "$("$root/usr/bin/postie" queue)" ] || die 'sendmail -bp is not the outbox'
  for page in "$root"/usr/share/man/man?/*.gz; do
    zcat "$page" | cmp - "man/$(basename "$page" .gz)" || die "$page"
  done
  dpkg --root="$root" --verify postie postie-mta | grep . && die 'dpkg --verify finds a difference'
  ! command -v systemd-sysusers > /dev/null || grep -q '^postie:.*:/var/lib/postie:' "$root/etc/passwd" ||
    die 'there is no user for the units of the system'
  # The state of the system's service goes unless mail waits there.
  mkdir -p "$root/var/lib/postie/postie/outbox/waiting"
  dpkg_there --purge postie-mta postie > "$work/purge" 2>&1
  grep -q "1 message is kept in $root$home/.local/state/postie/outbox/waiting" "$work/purge" || die "$(cat "$work/purge")"
  files | diff "$work/before" - || die 'the purge left something behind, or took too much'
  mkdir -p "$root"/var/lib/postie/postie/outbox/{waiting/{1,2},failed/3}
  files > "$work/before"
  dpkg_there -i "${debs[@]}" > /dev/null 2>&1
  dpkg_there --purge postie-mta postie > "$work/purge" 2>&1
  grep -q "2 messages are kept in $root/var/lib/postie/postie/outbox/waiting" "$work/purge" || die "$(cat "$work/purge")"
  grep -q "1 message is kept in $root/var/lib/postie/postie/outbox/failed" "$work/purge" || die "$(cat "$work/purge")"
  files | diff "$work/before" - || die 'the purge took mail that waits'

  # In this machine's own system, with a layer on top that is thrown away: in the place of its mailer.
  cp "${debs[@]}" "$work"
  mkdir "$work/layer"
  unshare --mount --propagation private bash -euo pipefail -c '
    mount -t tmpfs layer "$0/layer"
    mkdir "$0"/layer/{upper,work,merged}
    mount -t overlay overlay -o lowerdir=/,upperdir="$0/layer/upper",workdir="$0/layer/work" "$0/layer/merged"
    for dir in proc dev; do mount --rbind /$dir "$0/layer/merged/$dir"; done
    mkdir -p "$0/layer/merged/debs"
    cp "$0"/*.deb "$0/layer/merged/debs"
    cp "$1/tests/package/inside.sh" "$0/layer/merged/debs"
    chroot "$0/layer/merged" bash /debs/inside.sh
  ' "$work" "$tree"
}

tarball() {
  tests/package/package.sh tarball
  local tarball root=$work/root
  (cd target/package/out && sha256sum --quiet -c ./*.sha256)
  tarball=$(echo "$PWD"/target/package/out/postie-*-linux.tar.gz)
  mkdir -p "$root"/{etc,home}
  tar -C "$work" -xzf "$tarball"
  cp "$work"/postie-*/bin/postie "$root/postie"
  [ -n "${PROGRAM:-}" ] || no_build_paths "$root/postie"
  readelf -d "$root/postie" | grep -q NEEDED && die 'the static program needs a library'
  in_root() { env -i HOME=/home unshare --root="$root" /postie "$@"; }
  in_root --version > /dev/null
  in_root install --user
  [ -e "$root/home/.local/share/man/man1/postie.1" ] || die 'postie install did not bring its pages'
  # Names are looked up in files and in DNS, without and with an nsswitch.conf, and no module is loaded.
  # Nothing in this root is trusted but what is in the program, or named.
  echo 'nameserver 127.0.0.1' > "$root/etc/resolv.conf"
  (umask 077 && echo not-a-password > "$root/password")
  for name in ca server; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test $name" \
      -keyout "$work/$name.key" -out "$work/$name.pem" -addext subjectAltName=DNS:mail.example.com \
      ${signed[@]+"${signed[@]}"} 2> /dev/null
    local signed=(-CA "$work/ca.pem" -CAkey "$work/ca.key" -addext basicConstraints=critical,CA:FALSE)
  done
  cp "$work/ca.pem" "$root/ca.pem"
  local nsswitch
  for nsswitch in '' 'hosts: mymachines files resolve [!UNAVAIL=return] dns'; do
    echo "$nsswitch" > "$root/etc/nsswitch.conf"
    echo '127.0.0.1 other.example.com' > "$root/etc/hosts"
    unshare --net bash -euo pipefail -c '
      ip link set lo up
      coproc python3 tests/package/servers.py "$1/server.pem" "$1/server.key"
      trap "kill $COPROC_PID" EXIT
      read -r -u "${COPROC[0]}"
      check() { env -i HOME=/home unshare --root="$0" /postie check --fetch --user ann --password-file /password --timeout 5 "$@" 2>&1 || true; }
      expect() { grep -Eq "$1" <<< "$2" || { echo "test.sh: expected $1: $2" >&2; exit 1; }; }
      # By DNS, with an authority that is named, up to the server that says no more.
      said=$(check --server mail.example.com --ca-file /ca.pem)
      expect "^ok name: 127[.]0[.]0[.]1$" "$said"
      expect "^ok tls: TLSv1.3" "$said"
      # The authorities that are in the program do not include it.
      said=$(check --server mail.example.com)
      expect "issued by .Test ca., which is not trusted" "$said"
      # By the file of hosts.
      said=$(check --server other.example.com --ca-file /ca.pem)
      expect "^ok name: 127[.]0[.]0[.]1$" "$said"
    ' "$root" "$work" || die "with nsswitch.conf '$nsswitch'"
  done
}

system() { tests/package/system.sh; }

same() {
  local one other home=${CARGO_HOME:-$HOME/.cargo}
  one=$(sha256sum < "$(tests/package/build.sh dynamic)")
  mkdir -p "$work/elsewhere/source" "$work/home/.cargo"
  git ls-files | tar -cf - -T - | tar -xf - -C "$work/elsewhere/source"
  cp -a "$home/registry" "$work/home/.cargo"
  # By the same compiler, whichever is chosen for this directory.
  other=$(HOME=$work/home CARGO_HOME=$work/home/.cargo RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} \
    RUSTUP_TOOLCHAIN=$(rustc --print sysroot) "$work/elsewhere/source/tests/package/build.sh" dynamic)
  [ "$one" = "$(sha256sum < "$other")" ] || die "two builds differ: $one $(sha256sum < "$other")"
  echo "$one"
}

# Whether a program says nothing of where it was built.
no_build_paths() {
  local path
  for path in "$PWD" "${CARGO_HOME:-$HOME/.cargo}" "$HOME/."; do
    ! grep -aqF "$path" "$1" || die "$1 has $path in it: $(grep -aoE ".{0,20}$path.{0,60}" "$1" | head -1)"
  done
}

for test in "${@:-deb}"; do
  "$test"
  echo "test.sh: $test passed"
done
