"""`python -m jina_vdr` is `jina-vdr`."""

import sys

from jina_vdr.cli import main

sys.exit(main())
