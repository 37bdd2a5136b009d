"""What the commands do, each one call with a typed result: `sweep`, `saes`, `paper`. The public names are in `memjax`."""
