"""The labels by which kratosctl knows its own: on containers, volumes, networks and images."""

LABEL = "dev.kratosctl."
