"""Facts about releases and images, and what a reference says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl import catalog
from kratosctl.errors import ConfigurationInvalid, FloatingTag, KratosctlError

TAGS = [release.tag for release in catalog.RELEASES]
SHA = "sha256:" + "ab" * 32


class TestReleases:
    def test_they_are_in_order_and_exact(self) -> None:
        keys = [catalog.version_key(tag) for tag in TAGS]
        assert keys == sorted(keys)
        assert not any(catalog.is_floating(tag) for tag in TAGS)
        assert catalog.NEWEST.tag == TAGS[-1]

    def test_every_release_this_project_promises_is_there(self) -> None:
        assert {"v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.3.1", "v25.4.0", "v26.2.0"} <= set(TAGS)

    def test_migrations_never_become_fewer(self) -> None:
        counts = [release.migrations for release in catalog.RELEASES]
        assert counts == sorted(counts)

    @pytest.mark.parametrize(
        ("tag", "means"),
        [("v1", "v1.3.1"), ("v1.3", "v1.3.1"), ("v1.3.0", "v1.3.0"), ("v26", "v26.2.0"), ("latest", "v26.2.0")],
    )
    def test_a_tag_means_the_newest_release_it_fits(self, tag: str, means: str) -> None:
        assert catalog.newest_matching(tag).tag == means

    @pytest.mark.parametrize(("tag", "exact"), [("v27", "v27.0.0"), ("v26.3", "v26.3.0"), ("v26.2.1", "v26.2.1")])
    def test_a_release_newer_than_the_catalogue_can_do_what_the_newest_can(self, tag: str, exact: str) -> None:
        found = catalog.newest_matching(tag)
        assert (found.tag, found.migrate_status) == (exact, True)

    @pytest.mark.parametrize("tag", ["v0.13.0", "v2", "v1.3.2", "v25.5"])
    def test_an_older_one_that_is_not_in_the_catalogue_is_refused_with_those_that_are(self, tag: str) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            catalog.newest_matching(tag)
        assert all(known in caught.value.why for known in TAGS)

    @pytest.mark.parametrize(
        "tag", ["1.3.1", "v1.3.1.1", "v", "", "v1.x", "v01.3.1", "v١.3.1", "v1.3.1-distroless", " v1", "v1\n"]
    )
    def test_what_is_no_release_is_refused_with_how_one_is_written(self, tag: str) -> None:
        with pytest.raises(ConfigurationInvalid) as caught:
            catalog.version_key(tag)
        assert caught.value.why == "a release is written vX.Y.Z, vX.Y or vX"

    @given(st.text() | st.integers(1, 10**6).map(lambda n: "v" + "9" * (n % 6000)))
    def test_any_text_is_a_release_or_refused(self, tag: str) -> None:
        try:
            lines = [catalog.newest_matching(tag).tag]
            assert not catalog.is_floating(lines[0])
        except KratosctlError as error:
            lines = error.lines()
        assert max(map(len, lines)) < 200


class TestReferences:
    @pytest.mark.parametrize(
        ("reference", "parts"),
        [
            ("oryd/kratos:v1", ("oryd/kratos", "v1")),
            ("kratos", ("kratos", "")),
            ("registry.example:5000/kratos", ("registry.example:5000/kratos", "")),
            ("registry.example:5000/a/kratos:v1", ("registry.example:5000/a/kratos", "v1")),
            (f"oryd/kratos@{SHA}", ("oryd/kratos", SHA)),
        ],
    )
    def test_a_reference_has_a_repository_and_a_tag(self, reference: str, parts: tuple[str, str]) -> None:
        assert catalog.split_reference(reference) == parts

    def test_a_tag_before_a_digest_still_tells_the_release(self) -> None:
        assert catalog.release_of_reference(f"oryd/kratos:v1.3.1-distroless@{SHA}") == "v1.3.1"
        assert catalog.is_distroless(f"oryd/kratos:v1.3.1-distroless@{SHA}")
        assert catalog.release_of_reference(f"oryd/kratos@{SHA}") is None

    @pytest.mark.parametrize(
        ("reference", "release"),
        [
            ("oryd/kratos:v1.3", "v1.3"),
            ("mirror.example:443/oryd/kratos:v99.1.0", "v99.1.0"),
            ("acme/login:v1.3.1", "v1.3.1"),
            ("acme/login:v3", None),
            ("acme/toryd/kratos:v3", None),
            ("oryd/kratos:main", None),
        ],
    )
    def test_a_version_of_somebody_elses_image_is_a_release_only_if_there_is_such_a_release(
        self, reference: str, release: str | None
    ) -> None:
        assert catalog.release_of_reference(reference) == release

    @pytest.mark.parametrize(
        "reference",
        [
            "oryd/kratos",
            "oryd/kratos:latest",
            "oryd/kratos:latest-distroless",
            "localhost:5000/kratos",
            "postgres:latest",
        ],
    )
    def test_latest_and_no_tag_are_refused_with_the_tag_to_use(self, reference: str) -> None:
        with pytest.raises(FloatingTag) as caught:
            catalog.check_reference(reference, allow_floating=False)
        exact = catalog.NEWEST.tag if "kratos" in reference else "<exact tag>"
        assert exact in caught.value.fix
        assert ("-distroless" in caught.value.fix) == reference.endswith("-distroless")
        catalog.check_reference(reference, allow_floating=True)

    @pytest.mark.parametrize(
        "reference", ["oryd/kratos:v26", "oryd/kratos:v26.2.0", f"oryd/kratos@{SHA}", "a:latest-1"]
    )
    def test_a_tag_that_says_something_is_taken(self, reference: str) -> None:
        catalog.check_reference(reference, allow_floating=False)

    @pytest.mark.parametrize("variant", catalog.VARIANTS)
    @pytest.mark.parametrize("tag", TAGS)
    def test_the_official_reference_says_its_release_and_variant(self, tag: str, variant: str) -> None:
        reference = catalog.kratos_reference(tag, variant)
        assert catalog.is_official(reference)
        assert catalog.release_of_reference(reference) == tag
        assert catalog.is_distroless(reference) == (variant == "distroless")

    @pytest.mark.parametrize(
        ("reference", "major"),
        [
            ("postgres:17", 17),
            ("postgres:17.2-alpine", 17),
            (f"postgres:16@{SHA}", 16),
            ("postgis/postgis:17-3.5", 17),
            ("timescale/timescaledb:2.17.2-pg16", 16),
            ("postgres:bookworm", None),
            ("acme/postgres:2024-06-01", None),
            ("postgres", None),
            (f"postgres@{SHA}", None),
        ],
    )
    def test_the_major_version_of_postgresql_is_told_where_it_is_said(self, reference: str, major: int | None) -> None:
        assert catalog.postgres_major(reference) == major
