"""Lazy loading of the prebuilt AWS provider bindings, so that only the used classes are loaded.

Importing one class of `cdktf_cdktf_provider_aws` executes its package, which imports over two thousand modules, and
makes Node require as many. This module prevents both, with no change to the imports in stacks:

- Python: the package is put in `sys.modules` without being executed, so that its submodules load one by one.
- Node: `lazy_bindings.cjs`, preloaded into the jsii kernel, turns the requires of its index into lazy getters.

It also disables the bindings' type checks of arguments in Python: the jsii kernel repeats them, with better messages.

`cdktf get` writes generated bindings beside this file, in one folder per provider or module.
"""

import os
import re
import shutil
import sys
import typing
import warnings
from collections import defaultdict
from collections.abc import Mapping
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

BINDINGS = "cdktf_cdktf_provider_aws"
NODE_PRELOAD = Path(__file__).with_name("lazy_bindings.cjs")
# In MB. V8's default of 16 saves no time in a process that runs for a second or two.
YOUNG_GENERATION = "--max-semi-space-size=1"
JSII_CACHE = Path(__file__).parent.parent / ".cache" / "jsii"

# Definitions in the package other than jsii-pacmak's boilerplate `check_type`.
_DEFINITION = re.compile(r"^(?:class |@|def (?!check_type\())", re.MULTILINE)
# Prefix of jsii-pacmak's functions that only declare argument types.
_STUB = "_typecheckingstub__"
_SUBMODULE = re.compile(r"^from \. import \w+$", re.MULTILINE)


def require_packages() -> None:
    """Exit with one line if this Python does not have the packages that `make setup` installs."""
    if find_spec("cdktf") is None:
        sys.exit(f"{sys.executable} has none of the project's packages; run make setup, and use .venv/bin/python")


def load_bindings_lazily() -> None:
    """Load the AWS bindings lazily from now on.

    Call it before `cdktf` is imported, which starts the Node process. It has no effect on bindings that are already
    imported. If the package has an unexpected layout, it warns and keeps the stock import.
    """
    # In the project, where `make setup` fills it; the home folder may be empty or read-only.
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(JSII_CACHE))
    if not shutil.which(os.environ.get("JSII_NODE", "node")):
        sys.meta_path.insert(0, _NodeIsMissing())
    _disable_python_type_checks()
    if BINDINGS in sys.modules:
        return
    spec = find_spec(BINDINGS)
    if spec is None or not _only_imports_submodules(spec):
        warnings.warn(f"{BINDINGS} has an unexpected layout: importing all of it, which is slow", stacklevel=2)
        return
    sys.modules[BINDINGS] = module_from_spec(spec)
    preload = str(NODE_PRELOAD).replace("\\", "\\\\").replace('"', '\\"')
    # The user's own options come last, to take precedence.
    os.environ["NODE_OPTIONS"] = f'{YOUNG_GENERATION} --require="{preload}" {os.environ.get("NODE_OPTIONS", "")}'.rstrip()


class _NodeIsMissing(MetaPathFinder):
    """Exits with one line when jsii is imported without Node, which it would start. Other modules need no Node."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "jsii":
            sys.exit("node is not on the PATH; install Node 24 (README.md)")


def _disable_python_type_checks() -> None:
    evaluate: Any = typing.get_type_hints
    if hasattr(evaluate, "__wrapped__"):
        return
    any_types = defaultdict[str, Any](lambda: Any)

    @wraps(evaluate)
    def get_type_hints(of: Any, *arguments: Any, **named: Any) -> Mapping[str, Any]:
        stub = getattr(of, "__name__", "").startswith(_STUB)
        return any_types if stub else evaluate(of, *arguments, **named)

    typing.get_type_hints = get_type_hints


def _only_imports_submodules(spec: ModuleSpec) -> bool:
    """Whether the package contains only imports of submodules, so that it need not be executed."""
    if spec.origin is None or not Path(spec.origin).is_file():
        return False
    source = Path(spec.origin).read_text(encoding="utf-8")
    return bool(_SUBMODULE.search(source)) and not _DEFINITION.search(source)
