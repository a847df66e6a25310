"""Print the lowest version of every dependency that pyproject.toml allows, as pip constraints."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parent.parent.joinpath("pyproject.toml").read_text())["project"]
for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
    print(re.sub(r"\[.*\]", "", requirement).replace(">=", "=="))  # noqa: T201
