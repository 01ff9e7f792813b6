"""Grafana's dashboards as code: what is in ../dashboards comes from here."""
