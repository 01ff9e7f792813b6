"""The lines that a backend copies from docs/surveys.md to sign a customer's id."""

import hmac
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from web.site import Site

DOC = Path(__file__).parents[2] / "docs" / "surveys.md"
SECRET = "a secret of umlauts, äöü, and so on: 32 or more"
CUSTOMERS = ["c-17", 'Ünï/ö & "quoted"', "客户 17"]


def line(language: str) -> str:
    """The one that is shown for a language."""
    [section] = re.findall(r"### Which customer is there(.*?)\n###", DOC.read_text(), re.DOTALL)
    [found] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


def printed(*command: str, **values: str) -> str:
    return subprocess.run(
        command, env={**os.environ, **values}, capture_output=True, check=True, text=True, timeout=30
    ).stdout


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_python(customer: str) -> None:
    names = {"hmac": hmac, "secret": SECRET, "customer_id": customer}
    exec(line("python"), names)
    assert Site(frozenset(), SECRET, 0).knows(customer, str(names["signature"]))


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_javascript(customer: str) -> None:
    node, _ = compute_driver_executable()
    given = f"const [secret, customerId] = {json.dumps([SECRET, customer])};"
    signature = printed(node, "-e", f"{given}{line('js')};process.stdout.write(signature)")
    assert Site(frozenset(), SECRET, 0).knows(customer, signature)


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no php here")
@pytest.mark.parametrize("customer", CUSTOMERS)
def test_php(customer: str) -> None:
    given = '$secret = getenv("SECRET"); $customerId = getenv("CUSTOMER");'
    signature = printed("php", "-r", f"{given}{line('php')} echo $signature;", SECRET=SECRET, CUSTOMER=customer)
    assert Site(frozenset(), SECRET, 0).knows(customer, signature)
