"""A light text classifier (scikit-learn), for what a batch of candidates is worth as training data."""

from __future__ import annotations

from collections.abc import Sequence


class LinearTextClassifier:
    """TF-IDF of words and word pairs under a logistic regression, as untuned as it comes."""

    def accuracy(self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int) -> float:
        """Share of `test` (text, label) got right after fitting `train`; 0 where either is empty."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        labels = {label for _, label in train}
        if not test or not labels:
            return 0.0
        if len(labels) == 1:
            return sum(label in labels for _, label in test) / len(test)
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"),
            LogisticRegression(C=10.0, max_iter=300, class_weight="balanced", random_state=seed),
        )
        model.fit([text for text, _ in train], [label for _, label in train])
        guesses = model.predict([text for text, _ in test])
        return sum(str(guess) == label for guess, (_, label) in zip(guesses, test, strict=True)) / len(test)
