"""Names imported and never used, in the Python files given: what py_compile does not see."""

import ast
import sys


def unused_imports(path):
    tree = ast.parse(open(path, encoding="utf-8").read(), path)
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if getattr(node, "module", None) == "__future__":
                continue
            for alias in node.names:
                imported[(alias.asname or alias.name).split(".")[0]] = node.lineno
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {
        element.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
        for element in getattr(node.value, "elts", [])
    }
    return [(line, name) for name, line in imported.items() if name not in used]


def main():
    bad = 0
    for path in sys.argv[1:]:
        for line, name in unused_imports(path):
            print(f"{path}:{line}: {name} is imported and not used")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
