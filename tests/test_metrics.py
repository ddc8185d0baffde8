"""Metrics: named as Prometheus wants it, each with a help that says what to do, and no label that could name anybody."""

import re
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from server import metrics
from server.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthorized, Unavailable
from server.tallies import Tallies
from server.watching import watched

LABELS = {
    "audience", "codec", "pool", "code", "kind", "medium", "method", "operation", "outcome", "reason", "status",
    "sweep", "job", "version", "le", "generation", "implementation", "major", "minor", "patchlevel",
}  # fmt: skip
"""Every label there is. Each takes its values from a list in the code: a new one needs the same."""


def families():
    return list(text_string_to_metric_families(metrics.page().decode()))


def test_every_metric_is_named_and_explained() -> None:
    for family in families():
        assert re.fullmatch(r"(warmline|process|python)_[a-z0-9_]+", family.name), family.name
        assert family.documentation, family.name
        if family.name.startswith("warmline_"):
            assert len(family.documentation) > 40, family.name
            assert not family.name.endswith(("_ms", "_milliseconds", "_minutes", "_kb")), family.name


def test_no_label_could_name_a_person_a_channel_or_an_organisation() -> None:
    used = {label for family in families() for sample in family.samples for label in sample.labels}
    used |= {label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())}
    assert used <= LABELS


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "ok"), (Unauthorized("x"), "unauthorized"), (Forbidden("x"), "forbidden"), (NotFound("x"), "not_found"),
        (Conflict("x"), "conflict"), (Invalid("x"), "invalid"), (TooMany("x"), "too_many"), (Unavailable("x"), "unavailable"),
        (ValueError("x"), "failed"),
    ],
)  # fmt: skip
def test_every_end_of_an_operation_is_counted_by_one_word(error: Exception | None, word: str) -> None:
    def count() -> float:
        return metrics.REGISTRY.get_sample_value("warmline_operations_total", {"operation": "me", "outcome": word}) or 0

    before = count()
    with suppress(Exception), watched("me"):
        if error is not None:
            raise error
    assert count() == before + 1


@pytest.mark.parametrize("label", [None, "operation"])
def test_a_tally_reads_as_a_histogram_of_the_library(label: str | None) -> None:
    bounds, ours, theirs = (0.005, 0.1, 2), CollectorRegistry(), CollectorRegistry()
    tallies = Tallies("name", "Help.", bounds, ours, label)
    histogram = Histogram("name", "Help.", [label] if label else [], buckets=bounds, registry=theirs)
    assert generate_latest(ours) == generate_latest(theirs)
    for value in (0, 0.005, 0.0051, 1.5, 2, 2.1, 1e9):
        tallies.labels("me").observe(value) if label else tallies.labels("").observe(value)
        histogram.labels("me").observe(value) if label else histogram.observe(value)
    assert generate_latest(ours) == generate_latest(theirs)
