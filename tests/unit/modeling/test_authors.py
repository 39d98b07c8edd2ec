"""Who wrote the code and who edited a policy last, as git and the file system know it; never an error."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from airflow_registry.modeling import environment

OWNER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def git(tmp_path):
    """Runs git in a fresh repository, as the person that is named."""

    def run(*arguments, by="Approver One <approver@example.org>"):
        name, _, address = by.removesuffix(">").partition(" <")
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", name), ("EMAIL", address))}
        command = ["git", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **who}).stdout.strip()

    run("init", "-q")
    return run


@pytest.fixture
def policy(tmp_path, git):
    """A policy that Approver committed, and code that Checker committed after it."""
    file = tmp_path / "policies" / "lead.yaml"
    file.parent.mkdir()
    file.write_text("rules: []\n")
    git("add", ".")
    git("commit", "-q", "-m", "policy")
    (tmp_path / "dag.py").write_text("")
    git("add", ".")
    git("commit", "-q", "-m", "code", by="Checker <checker@example.org>")
    return file


def test_the_author_is_that_of_the_commit(tmp_path, git, policy):
    head, first = git("rev-parse", "HEAD"), git("rev-parse", "HEAD~1")
    assert environment.git_author(str(tmp_path), head) == "Checker <checker@example.org>"
    assert environment.git_author(str(policy.parent), first) == "Approver One <approver@example.org>"


@pytest.mark.parametrize("commit", [None, "", "HEAD", "--output=stolen", "0" * 40, "f" * 39])
def test_there_is_no_author_of_what_is_no_commit_here(tmp_path, git, policy, commit):
    assert environment.git_author(str(tmp_path), commit) is None
    assert not (tmp_path / "stolen").exists()


def test_names_that_are_not_ascii_arrive(tmp_path, git):
    git("commit", "-q", "--allow-empty", "-m", "x", by="Zoë Ångström <zoë@example.org>")
    assert environment.git_author(str(tmp_path), git("rev-parse", "HEAD")) == "Zoë Ångström <zoë@example.org>"


def test_the_last_editor_is_who_touched_that_file_last(policy):
    assert environment.last_editor(str(policy)) == "Approver One <approver@example.org>"


def test_a_relative_path_starts_in_the_working_folder(policy, monkeypatch):
    monkeypatch.chdir(policy.parent)
    assert environment.last_editor("lead.yaml") == "Approver One <approver@example.org>"


def test_a_file_that_was_changed_since_is_its_owner_s(policy, git):
    policy.write_text("rules: [changed]\n")
    assert environment.last_editor(str(policy)) == OWNER
    git("add", ".")
    assert environment.last_editor(str(policy)) == OWNER
    git("commit", "-q", "-m", "changed", by="Cy <cy@example.org>")
    assert environment.last_editor(str(policy)) == "Cy <cy@example.org>"


def test_a_file_that_git_does_not_know_is_its_owner_s(policy, git, tmp_path):
    new = tmp_path / "new.yaml"
    new.write_text("")
    assert environment.last_editor(str(new)) == OWNER
    (tmp_path / ".gitignore").write_text("new.yaml\n")
    assert environment.last_editor(str(new)) == OWNER


def test_outside_git_it_is_the_owner(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    file = tmp_path / "lead.yaml"
    file.write_text("")
    assert environment.last_editor(str(file)) == OWNER
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert environment.last_editor(str(file)) == OWNER


@pytest.mark.parametrize("file", [None, "", "/no/such/file.yaml", "nul\0byte", "/"])
def test_nobody_edited_what_is_no_file(file):
    assert environment.last_editor(file) is None


def test_a_git_that_hangs_is_not_waited_for(policy, tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(environment, "_GIT_TIMEOUT_S", 0.1)
    assert environment.last_editor(str(policy)) == OWNER
    assert environment.git_author(str(tmp_path), "a" * 40) is None


def test_registering_outside_airflow_names_the_author_of_the_code(registry, git, policy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    version = registry.register("lead")
    assert version.lineage.git_commit == git("rev-parse", "HEAD")
    assert registry.get("lead:1").lineage.git_author == "Checker <checker@example.org>"


def test_a_decision_by_a_file_remembers_who_edited_it(registry, git, policy):
    policy.write_text("schema: 1\nrules: [{metric: auc, at_least: 0.5}, {approval: {people: 1}}]\n")
    git("commit", "-q", "-a", "-m", "people", by="Intruder Editor <intruder@example.org>")
    registry.register("lead", metrics={"auc": 0.9})
    registry.decide("lead", 1, policy=str(policy))
    assert {"intruder", "intruder editor"} <= registry.asked("lead", 1).authors
