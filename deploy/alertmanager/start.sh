#!/bin/sh
# Starts Alertmanager with the receivers' addresses from the environment. Its own `url_file` would do that too, but
# retries a missing file for ever, and Alertmanager before 0.26 does not know it.
set -eu
umask 077

config="${TMPDIR:-/tmp}/alertmanager.yml"
cp "${ALERTMANAGER_TEMPLATE:-/etc/alertmanager/alertmanager.yml}" "$config"

receiver() { # name, address
    if [ -n "$2" ]; then
        address=$(printf '%s' "$2" | sed 's/[&|\\]/\\&/g')
        sed -i "s|http://$1\.invalid/|$address|" "$config"
    else
        sed -i "/http:\/\/$1\.invalid\//d" "$config"
        echo "no address for alerts to '$1': they show on Alertmanager's page only" >&2
    fi
}

receiver page "${ALERT_PAGE_URL:-}"
receiver platform "${ALERT_PLATFORM_URL:-}"
receiver customer-experience "${ALERT_CUSTOMER_EXPERIENCE_URL:-}"
receiver heartbeat "${ALERT_HEARTBEAT_URL:-}"

exec alertmanager --config.file="$config" "$@"
