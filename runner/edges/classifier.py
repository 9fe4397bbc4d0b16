"""Light text classifiers (scikit-learn): what a batch of candidates teaches, and how it can be told from real rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FOLDS = 5


class LinearTextClassifier:
    """Logistic regressions on TF-IDF features, as untuned as they come."""

    def correct(self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int) -> list[bool]:
        """Which of `test` (text, label) are got right after fitting `train` on words and word pairs; none where
        `train` is empty."""
        labels = {label for _, label in train}
        if not test or len(labels) < 2:
            return [label in labels for _, label in test]
        from sklearn.pipeline import make_pipeline

        model = make_pipeline(_words(), _regression(seed))
        model.fit([text for text, _ in train], [label for _, label in train])
        guesses = model.predict([text for text, _ in test])
        return [str(guess) == label for guess, (_, label) in zip(guesses, test, strict=True)]

    def accuracy(self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int) -> float:
        """Share of `test` that is got right after fitting `train`; 0 where either is empty."""
        hits = self.correct(train, test, seed=seed)
        return sum(hits) / len(hits) if hits else 0.0

    def told_apart(
        self, rows: Sequence[str], real: Sequence[str], *, seed: int
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Out-of-fold scores of `rows` and of `real`, higher for the likes of `rows`: words, word pairs and characters,
        stratified folds (at most `FOLDS`). Each needs two texts; else the scores are all 0."""
        folds = min(FOLDS, len(rows), len(real))
        if folds < 2:
            return (0.0,) * len(rows), (0.0,) * len(real)
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline

        scores = cross_val_predict(
            make_pipeline(_words_and_characters(), _regression(seed)),
            [*rows, *real],
            [1] * len(rows) + [0] * len(real),
            cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
            method="decision_function",
        )
        found = tuple(round(float(score), 6) for score in scores)
        return found[: len(rows)], found[len(rows) :]

    def nearest(self, rows: Sequence[str], real: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Cosine distance of each of `rows` to its nearest of `real`, and of each of `real` to its nearest other."""
        import numpy as np
        from sklearn.preprocessing import normalize

        features = _words_and_characters().fit([*rows, *real])
        made, there = (normalize(features.transform(list(texts))) for texts in (rows, real))
        among = (there @ there.T).toarray()
        np.fill_diagonal(among, -1.0)
        to_real, own = 1 - (made @ there.T).toarray().max(axis=1), 1 - among.max(axis=1)
        return tuple(round(float(d), 6) for d in to_real), tuple(round(float(d), 6) for d in own)


def _words() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")


def _words_and_characters() -> Any:
    """Words tell topics apart, character n-grams spelling, casing and punctuation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    return make_union(
        _words(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, lowercase=False)
    )


def _regression(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10.0, max_iter=300, class_weight="balanced", random_state=seed)
