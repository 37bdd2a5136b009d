"""Does a sparse autoencoder's reconstruction loss tell how memorable an image is? The same as the command `memjax saes`.

python experiments/train_saes.py
python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol paper
python experiments/train_saes.py --features runs/lnsim/features.zarr --protocol modern --variant batchtopk
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that a checkout runs before it is installed

from memjax.cli.main import named, run_and_leave

main = named("saes")

if __name__ == "__main__":
    run_and_leave(main)
