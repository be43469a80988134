#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test/matrix/kernel.sh VERSION: prints the directory of Debian's newest kernel of that version: vmlinuz, lib/modules and
# release (its name).
#
# It comes from the suite of Debian that has it, from the mirror that this machine's apt is configured for, by an apt that
# keeps its lists to itself: the machine's configuration and lists stay as they are. Debian's keys sign the suites' lists,
# which have the checksum of the package; what was unpacked is checked each time by checksums of its own.
#
# Exit status: 0, also with the kernel that is there already where the mirror cannot be reached; 3: there is none, and the
# reason on stderr.
set -euo pipefail

version=$1
case $version in
  5.10) suite=bullseye ;;
  6.1) suite=bookworm ;;
  6.12) suite=trixie ;;
  *) echo "no suite of Debian for $version" >&2; exit 3 ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portolan
lists=$cache/apt-$suite
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d "${TMPDIR:-/tmp}/pt-kernel.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { echo "matrix: $*" >&2; }
give_up() {
  echo "$*" >&2
  exit 3
}

# Prints where the machine's apt gets Debian or its security updates from. label: as the suites call themselves.
mirror() {
  # shellcheck disable=SC2016 # names of apt's
  apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n "s|^Debian/$1 ||p" | head -n 1
}

# An apt of its own; its hooks would be about the machine's lists.
own_apt() {
  mkdir -p "$lists/lists/partial" "$work/archives/partial"
  cat >"$work/apt.conf" <<CONF
Dir::State::lists "$lists/lists";
Dir::Cache "$work";
Dir::Etc::sourcelist "$lists/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Update::Error-Mode "any";
Acquire::Check-Valid-Until "false"; // suites of old are not signed anew
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
  local line="deb [arch=amd64 signed-by=$keyring]"
  {
    echo "$line $debian $suite main"
    [ -z "$security" ] || echo "$line $security $suite-security main"
  } >"$lists/sources.list"
}

package() {
  apt-cache -c "$work/apt.conf" depends linux-image-amd64 2>/dev/null |
    sed -n "s/^ *|\?Depends: \(linux-image-${version//./\\.}\.[^ ]*\)$/\1/p" | head -n 1
}

# What was there last, unless its files have changed.
cached() {
  local kernel
  for kernel in "$cache/kernel-$version".*/; do
    [ -e "$kernel/release" ] && (cd "$kernel" && sha256sum --quiet --strict -c SHA256SUMS >&2) && echo "${kernel%/}" && return
  done
  return 1
}

renew() {
  debian=$(mirror Debian)
  security=$(mirror Debian-Security)
  [ -n "$debian" ] || { reason="apt's sources of this machine name no mirror of Debian"; return 1; }
  [ -r "$keyring" ] || { reason="$keyring is missing: install debian-archive-keyring"; return 1; }
  own_apt
  if [ -z "$(find "$lists" -maxdepth 1 -name asked -mtime -1)" ]; then
    say "asking for the packages of $suite"
    apt-get -c "$work/apt.conf" update -q >"$work/update" 2>&1 ||
      { reason="the suite $suite cannot be reached: $(grep -m 1 '^[EW]:' "$work/update")"; return 1; }
    touch "$lists/asked"
  fi
  package=$(package)
  [ -n "$package" ] || { reason="the suite $suite has no Linux $version"; return 1; }
}

fetch() {
  local release=$1 root=$work/root
  say "fetching linux-image-$release"
  (cd "$work" && apt-get -c "$work/apt.conf" download -q "linux-image-$release" >"$work/download" 2>&1) ||
    { reason="linux-image-$release cannot be fetched: $(grep -m 1 '^[EW]:' "$work/download")"; return 1; }
  mkdir "$root"
  # Modules are in lib, or in usr/lib where the one is a link to the other.
  dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb |
    tar -x -C "$root" --wildcards './boot/vmlinuz*' './boot/config*' '*lib/modules/*'
  [ -d "$root/lib" ] || mv "$root/usr/lib" "$root/lib"
  mv "$root"/boot/vmlinuz* "$root/vmlinuz"
  mv "$root"/boot/config* "$root/config"
  rm -rf "$root/boot" "$root/usr"
  depmod -b "$root" "$release"
  echo "$release" >"$root/release"
  (cd "$root" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
  rm -rf "$cache/kernel-$version".* # what it replaces
  mv "$root" "$cache/kernel-$release" # whole or not at all
}

reason=
kernel=$(cached) || kernel=
if renew; then
  newest=$cache/kernel-${package#linux-image-}
  if [ "$kernel" != "$newest" ] && fetch "${package#linux-image-}"; then kernel=$newest; fi
fi
[ -n "$kernel" ] || give_up "$reason"
[ -z "$reason" ] || say "$reason: taking the kernel that is here"
echo "$kernel"
