"""Prints the Nth command block (```sh ... ```) of a Markdown file: readme_command.py FILE N."""

import re
import sys
from pathlib import Path

blocks = re.findall(r"^```sh\n(.*?)^```", Path(sys.argv[1]).read_text(), re.MULTILINE | re.DOTALL)
print(blocks[int(sys.argv[2]) - 1].strip())
