"""Pictures of the Grafana dashboards, without a Grafana."""
