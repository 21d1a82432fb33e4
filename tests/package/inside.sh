# What tests/package/test.sh does inside of a system that is thrown away.
set -euo pipefail
# It empties root's outbox and the crontabs: never in a system that is to be kept.
[ -d /debs ] || { echo 'inside.sh: only test.sh runs this, in a system that is thrown away' >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
home=~root
mailer=$(dpkg-query -S /usr/sbin/sendmail 2> /dev/null | cut -d: -f1 || true)
apt-get install -y -q --no-install-recommends /debs/*.deb > /debs/log 2>&1 || { cat /debs/log; exit 1; }
if [ -n "$mailer" ] && dpkg-query -W -f '${db:Status-Status}\n' "$mailer" | grep -qx installed; then
  echo "inside.sh: $mailer is still there"; exit 1
fi
[ "$(readlink -f /usr/sbin/sendmail)" = /usr/bin/postie ]
man -w postie-config > /dev/null 2>&1 || ! command -v man > /dev/null

# A job of cron's says something: the mail waits in the outbox of root, for whom there is no account.
if command -v cron > /dev/null; then
  rm -rf "$home"/.local/state/postie "$home"/.config/postie /etc/postie /etc/cron.*/* /var/spool/cron/crontabs/*
  echo '* * * * * root echo the-job-has-run' > /etc/cron.d/postie-test
  echo 'MAILTO=""' > /etc/crontab
  rm -f /run/crond.pid /var/run/crond.pid
  cron -f > /dev/null 2>&1 &
  for _ in $(seq 90); do
    sendmail -bp | grep -q root && break
    sleep 1
  done
  kill %1
  sendmail -bp | grep root || { echo 'inside.sh: no mail of cron in the outbox'; exit 1; }
  grep -rq the-job-has-run "$home"/.local/state/postie/outbox
fi

apt-get purge -y -q postie-mta postie > /debs/log 2>&1 || { cat /debs/log; exit 1; }
! command -v cron > /dev/null || grep -Eq "(1 message is|messages are) kept in $home/.local/state/postie/outbox" /debs/log || { cat /debs/log; exit 1; }
left=$(find /etc /opt /usr /var -xdev -newer /debs/inside.sh -name '*postie*' ! -path /etc/cron.d/postie-test)
[ -z "$left" ] || { echo "inside.sh: left behind: $left"; exit 1; }
