"""The paper's tables and figures, ours beside theirs; the same as the command `memjax paper`.

python experiments/reproduce_paper.py --memvis DIR --memcat memcat_image_data.csv [--isola DIR]
python experiments/reproduce_paper.py --features runs/memcat [--memcat memcat_image_data.csv]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that a checkout runs before it is installed

from memjax.cli.main import named, run_and_leave

main = named("paper")

if __name__ == "__main__":
    run_and_leave(main)
