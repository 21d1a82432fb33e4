#!/usr/bin/env bash
# Makes what is released, in target/package/out:
#
#   tests/package/package.sh deb        postie and postie-mta for Debian (needs cargo-deb)
#   tests/package/package.sh tarball    a static program with what `postie install` does not bring
#
# Times, owners and order are fixed: the same program gives the same packages. With PROGRAM=FILE, that
# program is packaged, as it is for a test; what is released is built here.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=${1:?deb or tarball}
out=$PWD/target/package/out stage=$PWD/target/package/stage
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# The date of the release is that of its manual.
SOURCE_DATE_EPOCH=$(date -u -d "$(sed -n 's/^\.TH .*\([0-9]\{4\}-[0-9][0-9]-[0-9][0-9]\).*/\1/p' man/postie.1)" +%s)
export SOURCE_DATE_EPOCH
umask 022
rm -rf "$stage"
mkdir -p "$out" "$stage"

case $kind in
deb)
  install -D "${PROGRAM:-$(tests/package/build.sh dynamic)}" "$stage/usr/bin/postie"
  [ -z "${PROGRAM:-}" ] || strip "$stage/usr/bin/postie"
  # One command knows where everything goes, and it is the program's own.
  "$stage/usr/bin/postie" install --prefix "$stage/usr"
  rm -r "$stage/usr/share/postie"
  mkdir "$stage/doc"
  for package in postie postie-mta; do
    cat > "$stage/doc/$package.changelog" <<END
$package ($version-1) unstable; urgency=medium

  * Version $version: see CHANGELOG.md.

 -- the postie authors <postie@localhost>  $(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")
END
  done
  rm -f "$out"/*.deb
  cargo deb --quiet --no-build --no-strip --output "$out"
  cargo deb --quiet --no-build --no-strip --variant mta --output "$out"
  ls "$out"/*.deb
  ;;
tarball)
  name=postie-$version-$(uname -m)-linux
  install -D "${PROGRAM:-$(tests/package/build.sh static)}" "$stage/$name/bin/postie"
  install -m 644 -t "$stage/$name" README.md CHANGELOG.md LICENSE
  tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -c "$name" |
    gzip -9n > "$out/$name.tar.gz"
  (cd "$out" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
  ls "$out/$name.tar.gz"
  ;;
*) echo "package.sh: deb or tarball, not $kind" >&2; exit 64 ;;
esac
