"""What kratosctl relies on, stated as tests of the images it runs: Kratos, PostgreSQL, mail and UI.

They run against real images where these are present, else against the stand-ins of tests/standin. What real
Kratos fails, these tests have wrong. KRATOSCTL_TEST_KRATOS names the repository to test (oryd/kratos,
kratosctl-standin/kratos), KRATOSCTL_TEST_RELEASES the releases ("v1.1.0 v26.2.0"; all: every one present).
"""
