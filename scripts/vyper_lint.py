"""python -m scripts.vyper_lint: natrix over every contract and every module that one of them uses.

`natrix lint FILE` looks at the file alone and cannot compile most modules by themselves, but the
compiler's tree of a contract has the trees of all that it imports. Rules left out and why:
pyproject.toml, [tool.natrix]. Two kinds of finding are passed over here: unused names that Vyper
demands (of loops, and for the result of a call), and arguments that wait for the insurance fund.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from natrix import read_pyproject_config
from natrix.ast_tools import vyper_compile
from natrix.rules.common import Issue, Rule, RuleRegistry

CONTRACTS: Final = Path("contracts")
UNUSED: Final = "NTX8"
SEAMS: Final = ("'_insure'",)


def trees(contract: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of the contract and of its own modules, by path."""
    compiled = vyper_compile(str(contract), "annotated_ast")
    assert isinstance(compiled, dict)
    yield str(contract), compiled["ast"]
    for module in compiled["imports"]:
        path = Path(module["path"])
        if path.suffix == ".vy" and CONTRACTS in path.parents:
            yield str(path), module


def lint(rules: list[Rule], path: str, tree: dict[str, Any]) -> Iterator[Issue]:
    """What the rules find in one file."""
    for rule in rules:
        yield from rule.run({"contract_name": path, "ast": tree})


def is_wanted(issue: Issue, lines: list[str]) -> bool:
    """Whether anything can be done about it."""
    if issue.code != UNUSED:
        return not any(name in issue.message for name in SEAMS)
    line = lines[int(issue.position.split(":")[0]) - 1].strip()
    return not line.startswith("for ") and not line.endswith((")", "("))


def main() -> int:
    """Print all issues; 1 if there are any."""
    config = read_pyproject_config()
    rules = RuleRegistry.get_rules(config["rule_configs"])
    files: dict[str, dict[str, Any]] = {}
    for contract in sorted(CONTRACTS.glob("[A-Z]*.vy")):
        files |= trees(contract)
    issues = []
    for path, tree in files.items():
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        found = (i for i in lint(rules, path, tree) if i.code not in config["disabled_rules"])
        issues += [issue for issue in found if is_wanted(issue, lines)]
    for issue in issues:
        print(issue.cli_format())
    print(f"natrix: {len(issues)} issues in {len(files)} Vyper files")
    return 1 if issues else 0


if __name__ == "__main__":
    sys.exit(main())
