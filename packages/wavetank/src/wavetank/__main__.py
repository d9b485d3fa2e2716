import sys

from wavetank.cli import main

sys.exit(main())
