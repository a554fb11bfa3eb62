"""Every config key of the trader is registered and read."""

import re
from pathlib import Path

from sysconfig.registry import ConfigKey
from tradingsite import trading_config

CODE = Path(trading_config.__file__).parent


def constants():
    return {name: key for name, key in vars(trading_config).items() if isinstance(key, ConfigKey)}


def test_keys_hold_every_key_of_the_module():
    assert set(constants().values()) == set(trading_config.KEYS)


def test_program_reads_every_key():
    files = [path for path in CODE.rglob("*.py") if path != Path(trading_config.__file__)]
    words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in files)))

    assert constants().keys() - words == set()
