"""Help formatter for commands whose help ends with examples."""

from argparse import RawDescriptionHelpFormatter

from django.core.management.base import DjangoHelpFormatter


class ExamplesFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Django's order of options, and an epilog that keeps its line breaks."""
