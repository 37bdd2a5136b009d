"""Which layer of which encoder tells how memorable an image is? The main job; the same as the command `memjax sweep`.

python experiments/sweep_layers.py
python experiments/sweep_layers.py --dataset lnsim --data-dir DIR --models facebook/dinov2-small --out runs/lnsim
python experiments/sweep_layers.py --images photos/ --scores scores.csv --models openai/clip-vit-base-patch32
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that a checkout runs before it is installed

from memjax.cli.main import named, run_and_leave

main = named("sweep")

if __name__ == "__main__":
    run_and_leave(main)
