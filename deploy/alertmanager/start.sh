#!/bin/sh
# Starts Alertmanager with the receivers' addresses from the environment. Its own `url_file` would do that too, but
# retries a missing file for ever, and Alertmanager before 0.26 does not know it.
set -eu
umask 077 # nobody else reads the addresses, nor the key

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

# A team of a survey without an address of its own shares the one for all scores.
scores="${ALERT_CUSTOMER_EXPERIENCE_URL:-}"
receiver page "${ALERT_PAGE_URL:-}"
receiver platform "${ALERT_PLATFORM_URL:-}"
receiver customer-experience "$scores"
receiver shop "${ALERT_SHOP_URL:-$scores}"
receiver product "${ALERT_PRODUCT_URL:-$scores}"
receiver support "${ALERT_SUPPORT_URL:-$scores}"
receiver heartbeat "${ALERT_HEARTBEAT_URL:-}"
# livenps lets nobody in without a key, so without one there is no address.
receiver livenps "${ALERT_LIVENPS_KEY:+${ALERT_LIVENPS_URL:-http://livenps:8080/v1/alerts}}"
printf '%s' "${ALERT_LIVENPS_KEY:-}" > "${config%/*}/livenps-token"

exec alertmanager --config.file="$config" "$@"
