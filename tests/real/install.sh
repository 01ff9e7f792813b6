#!/usr/bin/env bash
# Installs the real parts that the tests run, or those that are named (install.sh kafka redis): Debian packages where
# it may, Kafka's jars from Maven Central, axe-core (MPL-2.0) from npm.
# Says what it does, does nothing where nothing is missing, and ends well where a part cannot be had: the tests that
# need it are then skipped, or fail under CI=true.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/kafka-pom.xml")
kafka="${KAFKA_CACHE:-$root/.cache}/kafka-$version"
axe_version=4.14.1
axe="$root/.cache/axe-core-$axe_version"
policy=/usr/sbin/policy-rc.d
all="kafka redis prometheus alertmanager chromium axe docker-compose"
parts="${*:-$all}"

say() { echo "real parts: $*"; }
warn() { echo "real parts: WARNING: $*" >&2; }
has() { command -v "$1" >/dev/null; }

for part in $parts; do
  [[ " $all " == *" $part "* ]] || { warn "there is no part $part, they are: $all"; exit 2; }
done
wanted() { [[ " $parts " == *" $1 "* ]]; }
lacks_kafka() { wanted kafka && [ ! -d "$kafka/libs" ]; }
lacks_axe() { wanted axe && [ ! -f "$axe/axe.min.js" ]; }

missing_packages() {
  ! wanted redis || has redis-server || echo redis-server
  ! wanted prometheus || { has prometheus && has promtool; } || echo prometheus
  ! wanted alertmanager || { has prometheus-alertmanager && has amtool; } || echo prometheus-alertmanager
  ! wanted chromium || has chromium || echo chromium
  ! wanted docker-compose || has docker-compose || echo docker-compose
  ! wanted kafka || has java || echo default-jre-headless
  ! lacks_kafka || has mvn || echo maven
  ! lacks_axe || has npm || echo npm
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The parts are started by the tests on ports of their own: no package may start its service now.
forbid_services() {
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
  fi
}

install_packages() {
  if ! has apt-get; then
    warn "no apt-get here; please install: $*"
  elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    warn "neither root nor sudo without a password; please run: sudo apt-get install $*"
  else
    say "installing $*"
    forbid_services
    as_root apt-get -qq update || warn "apt-get update failed"
    local package
    for package in "$@"; do # one by one: a package that cannot be had does not keep the others away
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 install "$package" >/dev/null || warn "$package cannot be installed"
      # nor at the next boot
      has systemctl && as_root systemctl --quiet disable "$package.service" 2>/dev/null || true
    done
  fi
}

fetch_kafka() {
  if ! has mvn; then
    warn "no Maven, so no Kafka"
    return
  fi
  say "fetching Kafka $version into $kafka"
  rm -rf "$kafka.part"
  mkdir -p "$kafka.part"
  local output
  if output=$(mvn --quiet --batch-mode --strict-checksums --file "$here/kafka-pom.xml" \
    dependency:copy-dependencies -DoutputDirectory="$kafka.part/libs" 2>&1); then
    rm -rf "$kafka"
    mv "$kafka.part" "$kafka"
  else
    rm -rf "$kafka.part"
    warn "Kafka $version cannot be fetched: $output"
  fi
}

fetch_axe() {
  if ! has npm; then
    warn "no npm, so no axe-core"
    return
  fi
  say "fetching axe-core $axe_version into $axe"
  rm -rf "$axe.part"
  mkdir -p "$axe.part"
  local output
  if output=$(npm pack --loglevel=error --pack-destination "$axe.part" "axe-core@$axe_version" 2>&1) &&
    output=$(tar -xzf "$axe.part/axe-core-$axe_version.tgz" -C "$axe.part" --strip-components=1 \
      package/axe.min.js package/LICENSE 2>&1); then
    rm -rf "$axe"
    mv "$axe.part" "$axe"
  else
    rm -rf "$axe.part"
    warn "axe-core $axe_version cannot be fetched: $output"
  fi
}

mapfile -t packages < <(missing_packages)
[ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
! lacks_kafka || fetch_kafka
! lacks_axe || fetch_axe

mapfile -t missing < <(missing_packages)
! lacks_kafka || missing+=("Kafka $version")
! lacks_axe || missing+=("axe-core $axe_version")
if [ ${#missing[@]} = 0 ]; then
  say "all here: ${parts/kafka/kafka $version}"
else
  warn "still missing: ${missing[*]}"
fi
