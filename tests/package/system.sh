#!/usr/bin/env bash
# For test.sh: a fresh Debian, with systemd as its first process, on which README.md's lines are followed as
# they stand there, so that every user can send and none knows the password. For root, with debootstrap.
#
# The system is made once, in target/package/debian. What happens to it stays in a layer that is thrown
# away; its processes have namespaces of their own, and no network but a loopback.
set -euo pipefail
[ "${1:-}" = inside ] || cd "$(dirname "$0")/../.."
die() { echo "system.sh: $*" >&2; exit 1; }
debian=$PWD/target/package/debian

# Makes the system, if that was not done. Debian's archive has to be within reach.
fresh() {
  [ ! -d "$debian" ] || return 0
  mkdir -p "$(dirname "$debian")"
  rm -rf "$debian.new"
  timeout 300 debootstrap --variant=minbase --include=systemd,systemd-sysv,sudo,cron,at,php-cli bookworm "$debian.new" \
    > "$debian.log" 2>&1 || { tail -20 "$debian.log"; die 'debootstrap failed'; }
  mv "$debian.new" "$debian"
}

# Returns whether a system can be made here, and have control groups of its own.
possible() {
  local groups
  groups=$(findmnt -t cgroup2 -n -o TARGET | head -1)
  [ -n "$groups" ] || return 1
  mkdir "$groups/postie-test.$$" && (echo "$BASHPID" > "$groups/postie-test.$$/cgroup.procs") &&
    rmdir "$groups/postie-test.$$" && fresh
}

# Makes what is needed, and cleans up. Runs on this machine.
machine() {
  local program=${PROGRAM:-$(tests/package/build.sh dynamic)}
  fresh
  work=$(mktemp -d)
  group=$(findmnt -t cgroup2 -n -o TARGET | head -1)/postie-test.$$
  trap cleanup EXIT
  mkdir "$group"
  unshare --mount --net --propagation private tests/package/system.sh layer "$debian" "$work" "$group" "$program"
}

cleanup() {
  rm -rf "$work"
  # Processes that were killed are gone in a moment.
  local _
  for _ in $(seq 50); do
    find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || true
    [ -d "$group" ] || return 0
    sleep 0.1
  done
  echo "system.sh: cannot remove $group" >&2
}

# Lays the layer over the system, starts the mail server beside it, starts it, and goes into it.
layer() {
  local fresh=$1 work=$2 group=$3 program=$4 root=$2/root
  mount -t tmpfs -o mode=755 tmpfs "$work"
  mkdir "$work"/{upper,work,root}
  mount -t overlay overlay -o lowerdir="$fresh",upperdir="$work/upper",workdir="$work/work" "$root"
  ip link set lo up
  echo '127.0.0.1 localhost fresh mail.example.com' > "$root/etc/hosts"
  echo fresh > "$root/etc/hostname"

  mkdir -p "$root"/{source,taken,etc/postie}
  cp README.md tests/package/system.sh "$program" "$root/source"
  local name signed=()
  for name in ca server; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test $name" \
      -keyout "$work/$name.key" -out "$work/$name.pem" -addext subjectAltName=DNS:mail.example.com \
      ${signed[@]+"${signed[@]}"} 2> /dev/null
    signed=(-CA "$work/ca.pem" -CAkey "$work/ca.key" -addext basicConstraints=critical,CA:FALSE)
  done
  cp "$work/ca.pem" "$root/source"
  coproc python3 tests/package/smtp.py "$work/server.pem" "$work/server.key" \
    'ann@example.com not-a-password' "$root/taken"
  local server=$COPROC_PID
  read -r -u "${COPROC[0]}"

  # The first process of a process namespace, in a control group of its own.
  (echo "$BASHPID" > "$group/cgroup.procs" &&
    exec unshare --cgroup --pid --mount --uts --ipc --fork --kill-child --propagation private tests/package/system.sh boot "$root") \
    > "$work/console" 2>&1 &
  local outer=$! init=
  # unshare heeds no other signal; the processes in the namespace end with it.
  trap "kill -KILL $outer $server" EXIT
  in_it() {
    nsenter --target "$init" --all env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"
  }
  local _
  for _ in $(seq 100); do
    init=$(cat "/proc/$outer/task/$outer/children" 2> /dev/null)
    init=${init% }
    [ -n "$init" ] && [ "$(cat "/proc/$init/comm")" = systemd ] && in_it systemctl is-system-running --wait > /dev/null 2>&1 && break
    sleep 0.2
  done
  in_it systemctl is-system-running > /dev/null || { cat "$work/console"; die 'the system does not run'; }
  in_it bash /source/system.sh inside
}

# Becomes systemd, with what systemd expects of a container, and without what would change the kernel.
boot() {
  local root=$1 node
  mount -t proc proc "$root/proc"
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,bind,ro "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mkdir "$root"/dev/{pts,shm}
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mkdir -p "$root/mnt/before"
  cd "$root"
  pivot_root . mnt/before
  # PID 1 of systemd reads its environment.
  exec chroot . /bin/sh -c 'umount -l /mnt/before; mount --make-rshared /; exec env -i container=test setpriv --bounding-set \
    -sys_module,-sys_rawio,-sys_time,-syslog,-audit_control,-audit_read,-audit_write /sbin/init --show-status=0'
}

# block LANGUAGE WORD: README.md's block in a language in which a line begins with WORD.
block() {
  local text
  text=$(awk -v fence="^\`\`\`$1\$" -v word="$2" '$0 ~ fence { text = ""; is_in = 1; next }
    /^```$/ { if (is_in && ("\n" text) ~ ("\n" word)) printf "%s", text; is_in = 0 }
    is_in { text = text $0 "\n" }' README.md)
  [ -n "$text" ] || die "README.md has no block of $1 with $2"
  echo "$text"
}

# said WORDS: the words, if README.md has them.
said() {
  [[ $(tr -s '\n ' ' ' < README.md) == *"$1"* ]] || die "README.md does not say $1"
  echo "$1"
}

# arrived WORDS RECIPIENT: waits until there is a message with these words, and sees that there is one only,
# from the account's address to the recipient.
arrived() {
  local found _
  for _ in $(seq 120); do
    found=$(grep -lrF "$1" /taken || true)
    [ -z "$found" ] || break
    sleep 1
  done
  [ "$(wc -w <<< "$found")" = 1 ] || die "expected one message with '$1', found: $found"
  head -1 "$found" | grep -Eq "^FROM:<ann@example.com>.* TO:<$2>" || die "$(cat "$found")"
}

# logged UID USER WORDS: sees that the service's log has an attempt of this user with these words.
logged() {
  local lines _
  for _ in $(seq 50); do
    lines=$(journalctl --output=cat --unit='postie-submit@*' | grep -F "submit: uid=$1 user=$2 " || true)
    [[ $lines != *"$3"* ]] || return 0
    sleep 0.2
  done
  die "the log has no attempt of $2 with '$3': $(journalctl --no-pager --unit='postie*')"
}

as() { runuser -u "$1" -- bash -euo pipefail -c "$2"; }

# Follows README.md as ann, who has the program and may use sudo; then the users send. Runs in the system.
inside() {
  cd /source
  local place user seen _
  set_ids() { find / -xdev -perm /6000 ! -type d | sort; }
  set_ids > /tmp/set_ids
  useradd --create-home ann
  echo 'ann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ann
  install -D postie /home/ann/.cargo/bin/postie
  follow() { runuser -u ann -- env PATH="/home/ann/.cargo/bin:$PATH" bash -euxo pipefail > /tmp/log 2>&1 || die "$(cat /tmp/log)"; }
  block sh 'sudo install' | follow
  block sh 'sudo dpkg-divert' | follow
  place=$(said 'password-file = "$CREDENTIALS_DIRECTORY/password"')
  block toml '\\[aliases\\]' > /etc/postie/submit-server.toml
  # No other authority than that of this test's vouches for its server.
  sed -i "s|^password-file = .*|$place\nca-file = \"/etc/postie/ca.pem\"|" /etc/postie/submit-server.toml
  cp ca.pem /etc/postie
  echo not-a-password > /etc/postie/password
  chmod 600 /etc/postie/password
  { said '[account.system.send]' && said 'submit = "/run/postie/submit"'; } > /etc/postie/config.toml
  block sh 'sudo systemd-sysusers' | follow

  # One message that waits, since no server is there.
  sed -i 's/ mail.example.com//; $a 127.0.0.2 mail.example.com' /etc/hosts
  as nobody 'printf "Subject: waits\n\nthat of then\n" | sendmail bob@example.net'
  logged 65534 nobody 'connection refused; the message waits in the outbox as '
  follow <<< "$(said 'sudo -u postie XDG_STATE_HOME=/var/lib/postie postie -c /etc/postie/submit-server.toml queue')"
  grep -q 'Subject: waits' /tmp/log || die "$(cat /tmp/log)"
  sed -i 's/^127.0.0.2/127.0.0.1/' /etc/hosts

  # Each caller, in person.
  useradd --create-home carl
  echo 'Defaults:carl !authenticate' > /etc/sudoers.d/carl
  as carl 'echo "* * * * * echo that of cron" | crontab -'
  as carl 'echo "echo that of at" | at now' 2> /dev/null
  ! as carl 'sudo true' 2> /dev/null || die 'sudo lets carl'
  as www-data "php -r 'exit(mail(\"bob@example.net\", \"x\", \"that of PHP\") ? 0 : 1);'"
  as nobody 'printf "Subject: x\n\nthat of nobody\n" | sendmail bob@example.net'
  ! as nobody 'printf "Subject: x\n\nthat of nobody\n" | sendmail refused@example.net' 2> /dev/null ||
    die 'a refusal is not known'
  setpriv --reuid 54321 --regid 54321 --clear-groups env -u HOME \
    bash -c 'printf "Subject: x\n\nthat of a number\n" | sendmail bob@example.net'
  arrived 'that of at' ann@example.com
  arrived 'carl : user NOT in sudoers' ann@example.com
  arrived 'that of PHP' bob@example.net
  arrived 'that of nobody' bob@example.net
  arrived 'that of a number' bob@example.net
  arrived 'that of cron' ann@example.com
  as carl 'crontab -r'
  logged 1001 carl 'said-to=carl '
  logged 1001 carl 'said-to=root '
  logged 33 www-data 'to=bob@example.net '
  logged 54321 '""' 'to=bob@example.net '
  logged 65534 nobody 'status=0 outcome="sent to 1 recipient'
  logged 65534 nobody 'status=67 outcome="refused@example.net refused: 550 '

  # What waits is sent by the timer's service, when it is due.
  systemctl is-active --quiet postie-queue.timer || die 'the timer does not run'
  for _ in $(seq 18); do
    systemctl start postie-queue.service || die "$(journalctl --no-pager --unit=postie-queue)"
    ! grep -qrF 'that of then' /taken || break
    sleep 5
  done
  arrived 'that of then' bob@example.net

  # One who calls without end ends the service for nobody.
  as nobody "php -r 'for (\$i = 0; \$i < 1000; \$i++) @stream_socket_client(\"unix:///run/postie/submit\");'"
  as carl 'printf "Subject: x\n\nthat of afterwards\n" | sendmail bob@example.net'
  arrived 'that of afterwards' bob@example.net

  # While the service serves www-data, it has the password, and no user can read it.
  as www-data "php -r '\$s = stream_socket_client(\"unix:///run/postie/submit\"); fgets(\$s); touch(\"/tmp/served\"); sleep(60);'" &
  until [ -e /tmp/served ]; do sleep 0.1; done
  place=$(echo /run/credentials/postie-submit@*/password)
  grep -qx not-a-password "$place" || die "the password is not in $place"
  for user in ann carl www-data nobody; do
    seen=$(as "$user" "cat /etc/postie/password $place /proc/*/environ" 2> /dev/null | tr -d '\0' || true)
    [[ $seen != *not-a-password* ]] || die "$user can read the password"
  done
  kill %1
  ! journalctl | grep -F not-a-password || die 'the password is in the log'
  set_ids | diff /tmp/set_ids - || die 'there is a new set-id bit'
  [ "$(systemctl is-system-running)" = running ] || die "$(systemctl --failed)"
}

"${1:-machine}" "${@:2}"
