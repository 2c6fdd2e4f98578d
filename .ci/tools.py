"""Where the programs of others are that the checks use. Importing this installs what is missing."""

import pathlib
import site
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
subprocess.run([HERE / "tools.sh"], check=True)
PYTHON = HERE.parent / "target" / "ci-tools" / "python" / "bin"
NODE = HERE / "node_modules"
# What is installed can be imported, too.
site.addsitedir(str(next(PYTHON.parent.glob("lib/python3*/site-packages"))))
