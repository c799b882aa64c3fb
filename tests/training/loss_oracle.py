"""The losses in plain NumPy and float64, pixel by pixel and class by class, from the definitions.

Lovasz comes from its definition, too: the Jaccard loss of every set of the worst pixels is counted
afresh, where the frameworks take a closed form.
"""

from __future__ import annotations

import numpy as np

from rs_workbench.training.losses import parse_loss

IGNORE = 255


def loss_value(text, labels, logits, *, ignore=IGNORE, class_weights=None):
    """Loss of labels (...) and logits (..., K)."""
    n_classes = logits.shape[-1]
    labels, logits = labels.reshape(-1), logits.reshape(-1, n_classes).astype(np.float64)
    kept = labels != ignore
    labels, logits = labels[kept], logits[kept]
    if len(labels) == 0:
        return 0.0
    highest = logits.max(axis=1, keepdims=True)
    log_p = logits - highest
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    total = 0.0
    for term in parse_loss(text).terms:
        total += term.weight * FORMULAS[term.name](log_p, labels, term.settings, class_weights)
    return total


def cross_entropy(log_p, labels, settings, class_weights):
    n_classes = log_p.shape[1]
    losses = []
    for row, label in zip(log_p, labels, strict=True):
        target = np.full(n_classes, settings.smoothing / n_classes)
        target[label] += 1 - settings.smoothing
        losses.append(-(target * row).sum())
    return weighted_mean(losses, labels, class_weights)


def focal(log_p, labels, settings, class_weights):
    losses = []
    for row, label in zip(log_p, labels, strict=True):
        others = np.exp(np.delete(row, label)).sum()
        losses.append(-(others**settings.gamma) * row[label])
    return weighted_mean(losses, labels, settings.alpha or class_weights)


def weighted_mean(losses, labels, class_weights):
    weights = np.ones(len(labels)) if class_weights is None else np.array(class_weights)[labels]
    return (weights * losses).sum() / weights.sum() if weights.any() else 0.0


def dice(log_p, labels, settings, class_weights):
    p = np.exp(log_p)
    scores = []
    for k in np.unique(labels):
        truth = labels == k
        scores.append(2 * (p[:, k] * truth).sum() / (p[:, k].sum() + truth.sum()))
    return 1 - np.mean(scores)


def tversky(log_p, labels, settings, class_weights):
    p = np.exp(log_p)
    scores = []
    for k in np.unique(labels):
        truth = labels == k
        hit = p[truth, k].sum()
        committed, omitted = p[~truth, k].sum(), (1 - p[truth, k]).sum()
        scores.append(hit / (hit + settings.alpha * committed + settings.beta * omitted))
    return 1 - np.mean(scores)


def lovasz(log_p, labels, settings, class_weights):
    losses = []
    for k in np.unique(labels):
        truth = labels == k
        errors = np.abs(truth - np.exp(log_p[:, k]))
        worst_first = np.argsort(-errors)
        loss = before = 0.0
        for n_wrong in range(1, len(labels) + 1):
            wrong = np.zeros(len(labels), bool)
            wrong[worst_first[:n_wrong]] = True
            found = truth ^ wrong
            jaccard_loss = 1 - (truth & found).sum() / (truth | found).sum()
            loss += errors[worst_first[n_wrong - 1]] * (jaccard_loss - before)
            before = jaccard_loss
        losses.append(loss)
    return np.mean(losses)


FORMULAS = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "dice": dice,
    "tversky": tversky,
    "lovasz": lovasz,
}


def loss_slope(text, labels, logits, step=1e-5, **how):
    """Gradient with respect to the logits, by central differences."""
    logits = logits.astype(np.float64)
    slope = np.empty_like(logits)
    for place in np.ndindex(logits.shape):
        ends = []
        for shift in (step, -step):
            moved = logits.copy()
            moved[place] += shift
            ends.append(loss_value(text, labels, moved, **how))
        slope[place] = (ends[0] - ends[1]) / (2 * step)
    return slope


# What both frameworks are tried on


def spec_texts(n_classes):
    """Every loss and setting, for K classes."""
    alpha = [round(0.2 + 0.3 * k, 1) for k in range(n_classes)]
    return [
        "cross_entropy",
        "cross_entropy(smoothing=0.1)",
        "focal",
        f"focal(gamma=0.5, alpha={alpha})",
        "dice",
        "tversky",
        "tversky(alpha=0.8, beta=0.1)",
        "lovasz",
        "cross_entropy+dice",
        "0.5*focal(gamma=3)+2*lovasz",
    ]


def make_batch(kind, n_classes, seed=0, shape=(2, 4, 5)):
    """Labels uint8 (N, H, W) and logits float32 (N, H, W, K) of a kind in `KINDS`."""
    rng = np.random.default_rng((seed, n_classes))
    labels = rng.integers(0, n_classes, shape).astype(np.uint8)
    logits = 3 * rng.standard_normal((*shape, n_classes)).astype(np.float32)
    if kind == "ignored":
        labels[rng.random(shape) < 0.4] = IGNORE
    elif kind == "absent":
        labels[labels == n_classes - 1] = 0
        labels[0, 0] = IGNORE
    elif kind == "one class":
        labels[:] = n_classes - 1
    elif kind == "one pixel":
        labels.reshape(-1)[1:] = IGNORE
    elif kind == "none":
        labels[:] = IGNORE
    elif kind == "extreme":
        logits = rng.choice(np.float32([-100, 100]), logits.shape)
        labels[0, 0] = IGNORE
    return labels, logits


KINDS = ("all", "ignored", "absent", "one class", "one pixel", "none", "extreme")


def weights_for(n_classes):
    """Class weights, one of them 0 from three classes on."""
    return [0.5 + k if k != 2 else 0.0 for k in range(n_classes)]


def takes_weights(text):
    return "cross_entropy" in text or "focal" in text
