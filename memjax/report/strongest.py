"""What the tests of the strongest correlation say, in sentences: the same on the page, in a notebook and in the terminal."""

from memjax.report.labels import MARK, count, probability
from memjax.stats.strongest import ALPHA, FEWEST, Strongest

FEW_INTERVALS = (
    f"{MARK} Of fewer than {FEWEST} images: each end is that of Fisher's z or the bootstrap's, whichever is further out; it is "
    "too wide for a claim."
)


def too_few(images: int) -> str:
    """The sentence that stands in place of a headline.

    Example:
        >>> too_few(8)
        '8 images allow no claim: below 30, only a very strong correlation can be told from chance, and none can be sized.'
    """
    return (
        f"{count(images)} images allow no claim: below {FEWEST}, only a very strong correlation can be told from chance, and "
        "none can be sized."
    )


def corrected(found: Strongest) -> str:
    """p of the strongest among all correlations, for the end of a sentence; empty where it is not offered.

    Example:
        >>> corrected(Strongest("m", "cls_mean", 3, 0.2, 90, 99, 0.012, 90, 10_000, 9))
        'p = 0.012 corrected for all 99 correlations'
    """
    if found.p_family is None:
        return ""
    p = probability(found.p_family)
    return f"p {p if p.startswith('<') else f'= {p}'} corrected for all {count(found.correlations)} correlations"


def family_sentence(found: Strongest, method: str) -> str:
    """How the corrected p was made, or why there is none."""
    how = f"the largest of {count(found.correlations)} correlations under {count(found.permutations)} permutations of the scores"
    if found.p_family is None and method == "kendall":
        return (
            "Kendall's tau has no max-statistic permutation here (each would take all pairs of images): the strongest one is not "
            "corrected for having been chosen, but by q."
        )
    if found.p_family is None:
        return f"Only {count(found.images)} images have every measure, too few for the permutation of the whole table."
    if not found.permutations:
        how = f"the largest of {count(found.correlations)} correlations in the normal limit of the permutations of the scores"
    some = f", over the {count(found.images)} images that have every measure" if found.images != found.n else ""
    return f"The corrected p compares with {how}{some} (max statistic), and keeps the error of the whole table."


def rivals_sentence(found: Strongest) -> str:
    """How many others the strongest cannot be told from.

    Example:
        >>> rivals_sentence(Strongest("m", "cls_mean", 3, 0.2, 90, 99, 0.012, 90, 10_000, 0)).split(" (")[0]
        'Each of the other 98 correlations can be told from it'
    """
    others, test = count(found.correlations - 1), f"paired test on the same images, Holm's correction, level {ALPHA}"
    if found.correlations == 1:
        return "There is no other correlation to compare it with."
    if not found.unsettled:
        return f"Each of the other {others} correlations can be told from it ({test}; all are in strongest.csv)."
    return (
        f"{count(found.unsettled)} of the other {others} correlations cannot be told from it (sizes compared, signs left aside; "
        f"{test}): with 95 % confidence the truly strongest one is among these {count(found.unsettled + 1)}, and which it is, is "
        "not settled. All are in strongest.csv."
    )


def multiples_sentence(found: Strongest) -> str:
    """Which correlations were counted once; empty where all were."""
    if not found.left_out:
        return ""
    named = f" ({', '.join(found.multiples)})" if found.multiples else ""
    return f"{count(found.left_out)} columns that are a fixed multiple of another one{named} are not among them."
