#!/usr/bin/env bash
# Builds the program as it is released, and prints where it is:
#
#   tests/package/build.sh dynamic    needs a C library as new as that of the building machine
#   tests/package/build.sh static     needs nothing but a kernel
#
# The same sources, compiler and C compiler give the same octets in any directory and for any user.
# Only this script builds what is shipped; the packages and their test call it.
set -euo pipefail
cd "$(dirname "$0")/../.."

kind=${1:?dynamic or static}
host=$(rustc -vV | sed -n 's/^host: //p')
cargo_home=${CARGO_HOME:-$HOME/.cargo}
target=$PWD/target/package

# Directories of this machine do not get into the program, neither by Rust nor by C.
flags=(--remap-path-prefix="$cargo_home"=/cargo --remap-path-prefix="$PWD"=/postie --remap-path-prefix="$target"=/target)
c_flags="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/postie -ffile-prefix-map=$target=/target"

link=()
case $kind in
dynamic) ;;
static)
  # The C library of a static program looks names up in files and DNS by itself. It would load modules
  # for whatever else nsswitch.conf names, which fit only the very same version of the library.
  mkdir -p "$target/static"
  cc -O2 -c -o "$target/static/no_modules.o" tests/package/no_modules.c
  # Without it, getrandom(2) is looked for by dlsym(3), which finds nothing in a static program.
  flags+=(-C target-feature=+crt-static --cfg 'getrandom_backend="linux_getrandom"')
  # Relative to this directory, lest its name matter.
  link=(-C link-arg=target/package/static/no_modules.o -C link-arg=-Wl,--wrap=__libc_dlopen_mode)
  ;;
*) echo "build.sh: dynamic or static, not $kind" >&2; exit 64 ;;
esac

# What a user's environment says of compilers is not part of the recipe.
unset RUSTFLAGS CFLAGS CPPFLAGS LDFLAGS CARGO_BUILD_RUSTFLAGS
export CARGO_ENCODED_RUSTFLAGS CFLAGS="$c_flags" CARGO_INCREMENTAL=0 AWS_LC_SYS_NO_JITTER_ENTROPY=1 AWS_LC_SYS_CMAKE_BUILDER=0
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo -n "${flags[*]}")
# With a target named, the flags are not for the programs that run during the build.
cargo rustc --release --locked --bin postie --target "$host" --target-dir "$target/$kind" -- "${link[@]}" >&2
echo "$target/$kind/$host/release/postie"
