"""Verbs that other distributions bring to the command."""

from importlib import metadata
from types import SimpleNamespace

import pytest

from snn_kernel import ConfigError
from snnk import guests
from snnk.command import main, parser


def entry(load, name="dance", home="snn-dance"):
    dist = SimpleNamespace(name=home)
    return SimpleNamespace(name=name, value="dance:main", load=load, dist=dist)


@pytest.fixture
def offered(monkeypatch):
    """Offer entry points in the place of those that are installed."""
    found = []
    monkeypatch.setattr(
        metadata, "entry_points", lambda group, name: [e for e in found if e.name == name]
    )
    return found


def test_a_guest_gets_its_arguments_and_gives_the_status(offered):
    seen = []

    def dance(arguments):
        seen.extend(arguments)
        return 7

    offered.append(entry(lambda: dance))
    assert main(["dance", "--slowly", "x=1"]) == 7
    assert seen == ["--slowly", "x=1"]


def test_what_a_guest_raises_is_told_as_everybodys(offered, capsys):
    def dance(_):
        raise ConfigError("no music")

    offered.append(entry(lambda: dance))
    assert main(["dance"]) == 1
    assert capsys.readouterr().err == "no music\n"
    with pytest.raises(ConfigError):
        main(["dance", "--traceback"])


def test_a_broken_guest(offered, capsys):
    def broken():
        raise ImportError("no module named 'shoes'")

    offered.append(entry(broken))
    assert main(["dance"]) == 1
    assert "snnk dance: dance:main is broken: no module named 'shoes'" in capsys.readouterr().err


def test_two_guests_of_one_name(offered, capsys):
    offered += [entry(None, home="b"), entry(None, home="a")]
    assert main(["dance"]) == 1
    assert "snnk dance: is offered by a and b" in capsys.readouterr().err


def test_a_verb_that_nobody_offers(offered, capsys):
    with pytest.raises(SystemExit):
        main(["jump"])
    assert "invalid choice: 'jump'" in capsys.readouterr().err


def test_a_verb_of_ours_that_is_not_installed(offered, capsys):
    assert main(["engine"]) == 1
    assert (
        "snnk engine: is not installed (pip install snn-deploy-engine)" in capsys.readouterr().err
    )


def test_help_names_guests_of_ours():
    for name, (what, home) in guests.OURS.items():
        assert f"{name} " in parser().format_help()
        assert home in " ".join(parser().format_help().split())
        assert what in " ".join(parser().format_help().split())
