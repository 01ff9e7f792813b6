"""The stack as docker-compose sees it, and the image it builds."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import DEPLOY, ROOT, bare_environment, output, run
from tests.real.parts import need

COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
SECRETS = ["LIVENPS_SECRET", "LIVENPS_API_KEYS", "GRAFANA_ADMIN_PASSWORD"]
PINNED = re.compile(r"[a-z/]+:v?\d+\.\d+[\w.-]*")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A `.env` made from the example, with something in each empty place."""
    path = tmp_path / "env"
    path.write_text(re.sub(r"^(\w+)=$", r"\1=made-up", EXAMPLE, flags=re.MULTILINE))
    return path


def compose(env_file: Path, *arguments: str) -> tuple[str, ...]:
    return ("docker-compose", "--env-file", str(env_file), *arguments)


def test_docker_compose_accepts_the_stack(filled: Path) -> None:
    need("docker-compose")
    config = yaml.safe_load(output(*compose(filled, "config"), env=bare_environment()))
    assert set(config["services"]) == set(SERVICES)
    assert config["services"]["livenps"]["environment"]["LIVENPS_SECRET"] == "made-up"


@pytest.mark.parametrize("name", SECRETS)
def test_the_stack_does_not_start_without_a_secret(filled: Path, name: str) -> None:
    need("docker-compose")
    filled.write_text(re.sub(rf"^{name}=.*$", f"{name}=", filled.read_text(), flags=re.MULTILINE))
    refused = run(*compose(filled, "config"), env=bare_environment())
    assert refused.returncode != 0
    assert f"set {name} in .env" in refused.stderr


def test_the_example_names_every_variable_and_no_secret() -> None:
    named = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
    assert set(named) == set(re.findall(r"\$\{(\w+)", COMPOSE))
    assert {named[name] for name in SECRETS} == {""}
    assert all(f"`{name}`" in (ROOT / "docs" / "deploy.md").read_text() for name in named)
    assert "/.env" in (ROOT / ".gitignore").read_text().split()


def test_no_secret_in_the_compose_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|KEY|PASSWORD|TOKEN|URL$", name) and name != "LIVENPS_REDIS_URL":
                assert value.startswith("${"), name
    assert not re.search(r"://[^/\s]*:[^/\s]*@", COMPOSE)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    service = SERVICES[name]
    assert "build" in service or PINNED.fullmatch(service["image"])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"topics"}))
def test_services_restart_and_tell_their_health(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or ("build" in service and "HEALTHCHECK" in DOCKERFILE)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_everything_mounted_is_there_and_only_volumes_are_written() -> None:
    volumes = yaml.safe_load(COMPOSE)["volumes"]
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source, *rest = mount.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert rest[-1] == "ro", f"{name}: {mount}"
            else:
                assert source in volumes


def test_redis_keeps_what_it_is_told() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.12\.\d+-slim-\w+", base) for base in bases)
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, flags=re.MULTILINE) == ["livenps"]
    assert "--require-hashes -r requirements.lock" in DOCKERFILE


def test_the_image_is_built_from_every_package_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    ignored, *allowed = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in "#"]
    assert ignored == "*"
    assert {line[1:] for line in allowed if line.startswith("!")} == {
        *packages,
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "LICENSE",
    }
