"""Findings as a Result: for a person, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kratosctl.doctor.finding import Finding
from kratosctl.results import Result, counted


def report(findings: Sequence[Finding]) -> Result:
    """The report; its exit code is 1 where there is a problem."""
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    data = {"problems": problems, "warnings": warnings, "findings": [asdict(finding) for finding in findings]}
    return Result("doctor", data, lambda: _text(findings, problems, warnings), exit_code=1 if problems else 0)


def _text(findings: Sequence[Finding], problems: int, warnings: int) -> str:
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.level:<8} {finding.what}")
        if finding.level != "ok":
            lines += [f"{'':<8} {finding.why}"] if finding.why else []
            lines += [f"{'':<8} -> {finding.fix}"] if finding.fix else []
    return "\n".join([*lines, "", f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}"])
