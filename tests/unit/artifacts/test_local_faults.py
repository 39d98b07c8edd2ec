"""What happens to the local store when processes are killed, disks fill up, rights are missing and writers race.

Every fault is a real one in a process of its own: limits of the kernel, SIGKILL, another user, several writers at once.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from airflow_registry.artifacts.local import LocalArtifactStore
from airflow_registry.errors import CorruptionError, StorageUnavailableError

PREAMBLE = """
import json, multiprocessing, os, resource, signal, sys
from pathlib import Path
from airflow_registry.artifacts.local import LocalArtifactStore
from airflow_registry.errors import RegistryError

def outcome(call):
    try:
        call()
    except RegistryError as error:
        return [type(error).__name__, str(error)]
    return ["ok", ""]

def in_a_child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return os.waitpid(pid, 0)[1]
"""

# Python announces every step that touches the file system to its audit hooks, so "killed just before step n" is exact.
KILLED_AT_EVERY_STEP = """
STEPS = ("open", "os.", "shutil.", "tempfile.", "fcntl.")

def killed_before(step, work):
    seen = 0
    def count(event, arguments):
        nonlocal seen
        seen += event.startswith(STEPS)
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
    def run():
        sys.addaudithook(count)
        work()
    return os.WIFSIGNALED(in_a_child(run))
"""


def run(script: str, *arguments: object) -> object:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def bundle(path: Path) -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "sub" / "weights").write_bytes(b"w" * 3000)
    return path


def large(path: Path) -> Path:
    path.write_bytes(b"w" * 3000)
    return path


SOURCES = {"file": large, "folder": bundle}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    return SOURCES[request.param](tmp_path / "source")


def files_below(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file() and not path.name.endswith(".lock")}


def test_a_writer_killed_at_any_step_leaves_nothing_or_the_whole_artifact_and_the_next_one_succeeds(source, tmp_path):
    script = """
source, roots, step = sys.argv[1], Path(sys.argv[2]), 1
while killed_before(step, lambda: LocalArtifactStore(str(roots / str(step))).put(source, model="m")):
    step += 1
print(step)
"""
    steps = run(KILLED_AT_EVERY_STEP + script, source, tmp_path / "roots")
    expected = LocalArtifactStore(str(tmp_path / "untouched")).put(str(source), model="m")
    survivors = [_after_kill(tmp_path / "roots" / str(step), source, expected) for step in range(1, steps + 1)]
    assert steps > 20
    assert survivors[0] is False
    assert survivors[-1] is True
    assert survivors == sorted(survivors)


def _after_kill(root, source, expected) -> bool:
    """Whether the artifact was there; it is whole then, and after the next put there is nothing else but temporary folders."""
    store = LocalArtifactStore(str(root))
    remote_path = str(root) + expected.remote_path.removeprefix(str(root.parent.parent / "untouched"))
    was_there = os.path.lexists(remote_path)
    if was_there:
        store.verify(remote_path, expected.digest)
    assert store.put(str(source), model="m").remote_path == remote_path
    store.verify(remote_path, expected.digest)
    assert all("/.tmp-" in path for path in store.orphans({remote_path}))
    return was_there


def test_a_repair_killed_at_any_step_can_be_repeated(source, tmp_path):
    script = """
source, roots, step = sys.argv[1], Path(sys.argv[2]), 1
def store():
    return LocalArtifactStore(str(roots / str(step)))
def damaged():
    stored = store().put(source, model="m")
    path = Path(stored.remote_path)
    (path / "config.json" if stored.is_folder else path).write_text("damaged")
while damaged() or killed_before(step, lambda: store().put(source, model="m")):
    step += 1
print(step)
"""
    steps = run(KILLED_AT_EVERY_STEP + script, source, tmp_path / "roots")
    assert steps > 20
    for step in range(1, steps + 1):
        store = LocalArtifactStore(str(tmp_path / "roots" / str(step)))
        stored = store.put(str(source), model="m")
        store.verify(stored.remote_path, stored.digest)
        assert all("/.tmp-" in path for path in store.orphans({stored.remote_path}))


def test_a_pointer_whose_writer_is_killed_at_any_step_is_the_old_one_or_the_new_one(tmp_path):
    script = """
roots, step = Path(sys.argv[1]), 1
def store():
    return LocalArtifactStore(str(roots / str(step)))
def old():
    store().write_pointer("m", {"version": 1}, 1)
while old() or killed_before(step, lambda: store().write_pointer("m", {"version": 2}, 2)):
    step += 1
print(step)
"""
    steps = run(KILLED_AT_EVERY_STEP + script, tmp_path)
    stores = [LocalArtifactStore(str(tmp_path / str(step))) for step in range(1, steps + 1)]
    found = [store.read_pointer("m")["version"] for store in stores]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (1, 2)
    for store in stores:
        store.write_pointer("m", {"version": 3}, 3)
        assert store.read_pointer("m")["version"] == 3


@pytest.mark.parametrize("disk", ["with links", "without links"])
def test_an_anchor_whose_writer_is_killed_at_any_step_is_whole_or_not_there(tmp_path, disk):
    script = """
def refuse(*arguments, **options):
    raise PermissionError(1, "no links on this disk")
roots, step = Path(sys.argv[1]), 1
if sys.argv[2] == "without links":
    os.link = refuse
while killed_before(step, lambda: LocalArtifactStore(str(roots / str(step))).write_anchor("uid", 7, {"hash": "x"})):
    step += 1
print(step)
"""
    steps = run(KILLED_AT_EVERY_STEP + script, tmp_path, disk)
    stores = [LocalArtifactStore(str(tmp_path / str(step))) for step in range(1, steps + 1)]
    found = [[anchor.content for anchor in store.anchors("uid")] if Path(store.root).exists() else [] for store in stores]
    whole = {"hash": "x", "registry_uid": "uid", "schema": 1, "seq": 7}
    assert steps > 10
    assert found == sorted(found, key=len)
    assert (found[0], found[-1]) == ([], [whole])
    for store in stores:
        store.write_anchor("uid", 7, {"hash": "x"})
        assert [anchor.content for anchor in store.anchors("uid")] == [whole]
        assert all("/.tmp-" in path for path in store.orphans(set()))


def test_an_anchor_is_not_replaced_on_a_disk_without_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links on this disk")

    monkeypatch.setattr(os, "link", refuse)
    store = LocalArtifactStore(str(tmp_path / "artifacts"))
    for _ in range(2):
        store.write_anchor("uid", 7, {"hash": "x"})
    with pytest.raises(CorruptionError):
        store.write_anchor("uid", 7, {"hash": "y"})
    assert [anchor.content["hash"] for anchor in store.anchors("uid")] == ["x"]


def test_a_disk_that_refuses_an_anchor_for_another_reason_says_so(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(StorageUnavailableError, match="Cannot write the audit anchor .*No space left"):
        LocalArtifactStore(str(tmp_path / "artifacts")).write_anchor("uid", 7, {"hash": "x"})


def test_a_writer_that_the_kernel_stops_in_mid_write_leaves_no_artifact(tmp_path):
    script = """
store = LocalArtifactStore(sys.argv[2])
def work():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the signal's own action is to end the process within write()
    store.put(sys.argv[1], model="m")
print(json.dumps(os.WTERMSIG(in_a_child(work)) == signal.SIGXFSZ))
"""
    source, root = tmp_path / "source", tmp_path / "root"
    source.write_bytes(b"x" * 3_000_000)
    assert run(script, source, root) is True
    left = files_below(root)
    assert len(left) == 1, "the write did not get to its middle"
    assert all(path.parent.name.startswith(".tmp-") and path.stat().st_size < 3_000_000 for path in left)
    stored = LocalArtifactStore(str(root)).put(str(source), model="m")
    LocalArtifactStore(str(root)).verify(stored.remote_path, stored.digest)


def test_a_disk_that_fills_up_in_mid_write_is_unavailable_and_nothing_is_left(tmp_path):
    script = """
source, root, target = sys.argv[1:]
store = LocalArtifactStore(root)
stored = store.put(source, model="full")
pointer = store.write_pointer("m", {"version": 1}, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
def opened():
    with store.open_verified(stored.remote_path, stored.digest):
        pass
print(json.dumps([
    outcome(lambda: store.put(source, model="m")),
    outcome(lambda: store.fetch(stored.remote_path, stored.digest, target)),
    outcome(opened),
    outcome(lambda: store.write_pointer("m", {"text": "x" * 1000}, 2)),
    store.read_pointer("m")["version"],
]))
"""
    source = bundle(tmp_path / "source")
    (tmp_path / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", str(tmp_path / "tmp"))
        *outcomes, version = run(script, source, tmp_path / "root", tmp_path / "target")
    for kind, text in outcomes:
        assert kind == "StorageUnavailableError"
        assert "File too large" in text
        assert "Free space" in text
    assert version == 1
    assert files_below(tmp_path / "root" / "plain" / "m") | files_below(tmp_path / "target") | files_below(tmp_path / "tmp") == set()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_source_that_changes_while_it_is_read_is_refused(source, tmp_path):
    script = """
source, root = sys.argv[1:]
changed = source if os.path.isfile(source) else source + "/config.json"
def change(event, arguments):
    if event == "shutil.copyfile" and str(arguments[0]) == changed:
        with open(changed, "a") as file:
            file.write("more")
sys.addaudithook(change)
print(json.dumps(outcome(lambda: LocalArtifactStore(root).put(source, model="m"))))
"""
    kind, text = run(script, source, tmp_path / "root")
    assert kind == "InvalidInputError"
    assert "changed while it was read" in text
    assert files_below(tmp_path / "root") == set()


def test_a_file_added_to_a_folder_while_it_is_read_is_noticed(tmp_path):
    script = """
source, root = sys.argv[1:]
def change(event, arguments):
    if event == "tempfile.mkdtemp":
        open(source + "/late", "w").close()
sys.addaudithook(change)
print(json.dumps(outcome(lambda: LocalArtifactStore(root).put(source, model="m"))))
"""
    kind, text = run(script, bundle(tmp_path / "source"), tmp_path / "root")
    assert kind == "InvalidInputError"
    assert "changed while it was read" in text
    assert files_below(tmp_path / "root") == set()


@pytest.fixture
def shared():
    """A folder that every user of this machine can reach; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


AS_SOMEBODY_ELSE = """
if os.geteuid() == 0:  # root ignores permission bits
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


def test_what_may_not_be_read_or_written_is_unavailable_and_says_whose_rights_are_missing(shared):
    script = (
        """
source, shut, root, target = sys.argv[1:]
store = LocalArtifactStore(root)
stored = store.put(source, model="m")
closed = store.put(source, model="m", name="closed")
os.mkdir(shut)
for path, mode in ((root, 0o555), (root + "/plain", 0o555), (root + "/plain/m", 0o555), (shut, 0), (closed.remote_path, 0)):
    os.chmod(path, mode)
"""
        + AS_SOMEBODY_ELSE
        + """
print(json.dumps({
    "unreadable source": outcome(lambda: store.put(closed.remote_path, model="m")),
    "unreachable source": outcome(lambda: store.put(shut + "/x", model="m")),
    "unreadable artifact": outcome(lambda: store.verify(closed.remote_path, closed.digest)),
    "unreadable artifact, fetched": outcome(lambda: store.fetch(closed.remote_path, None, target)),
    "unreachable artifact": outcome(lambda: store.exists(shut + "/x")),
    "unwritable root": outcome(store.check),
    "unwritable model": outcome(lambda: store.put(source, model="m", name="new")),
    "unwritable pointer": outcome(lambda: store.write_pointer("m", {}, 1)),
    "readable artifact": outcome(lambda: store.verify(stored.remote_path, stored.digest)),
}))
"""
    )
    target = shared / "target"
    target.mkdir()
    target.chmod(0o777)
    large(shared / "source")
    outcomes = run(script, shared / "source", shared / "shut", shared / "root", target)
    assert outcomes.pop("readable artifact") == ["ok", ""]
    for what, (kind, text) in outcomes.items():
        assert (what, kind) == (what, "StorageUnavailableError")
        assert "Permission denied" in text, what
        assert "right" in text, what
    assert list(target.iterdir()) == []


def test_four_writers_of_the_same_bytes_all_succeed_also_when_the_stored_copy_is_damaged(source, tmp_path):
    script = """
source, root, rounds = Path(sys.argv[1]), sys.argv[2], 12
context = multiprocessing.get_context("fork")
barrier, failures = context.Barrier(4), context.SimpleQueue()

def let_the_others_go_first(event, arguments):
    if event == "os.rename":
        for _ in range(500): os.sched_yield()

def write(writer):
    store = LocalArtifactStore(root)
    sys.addaudithook(let_the_others_go_first)
    try:
        for turn in range(rounds):
            barrier.wait(60)
            stored = store.put(str(source), model=f"m{turn}")
            store.verify(stored.remote_path, stored.digest)
            barrier.wait(60)
            if writer == 0:
                path = Path(stored.remote_path)
                (path / "config.json" if stored.is_folder else path).write_text("damaged")
            barrier.wait(60)
            store.put(str(source), model=f"m{turn}")
            for _ in range(20):  # from now on it stays there, whatever the slower writers still do
                store.verify(stored.remote_path, stored.digest)
    except BaseException as error:
        failures.put(f"writer {writer}: {error!r}")
        barrier.abort()

writers = [context.Process(target=write, args=(number,)) for number in range(4)]
for writer in writers: writer.start()
for writer in writers: writer.join()
found = []
while not failures.empty(): found.append(failures.get())
print(json.dumps(found))
"""
    assert run(script, source, tmp_path / "root") == []
    store = LocalArtifactStore(str(tmp_path / "root"))
    known = {store.put(str(source), model=f"m{turn}").remote_path for turn in range(12)}
    assert list(store.orphans(known)) == []


def test_of_many_writers_of_a_pointer_the_newest_revision_stays(tmp_path):
    script = """
root = sys.argv[1]
context = multiprocessing.get_context("fork")
barrier, answers = context.Barrier(4), context.SimpleQueue()
def write(writer):
    store, seen = LocalArtifactStore(root), 0
    barrier.wait(60)
    for turn in range(1, 41):
        revision = turn * 4 + writer
        store.write_pointer("m", {"version": revision, "filler": "x" * revision}, revision)
        pointer = store.read_pointer("m")
        if pointer["revision"] < max(seen, revision) or len(pointer["filler"]) != pointer["revision"]:
            answers.put([seen, pointer])
        seen = pointer["revision"]
writers = [context.Process(target=write, args=(number,)) for number in range(4)]
for writer in writers: writer.start()
for writer in writers: writer.join()
found = [writer.exitcode for writer in writers]
while not answers.empty(): found.append(answers.get())
print(json.dumps(found))
"""
    assert run(script, tmp_path) == [0, 0, 0, 0]
    assert LocalArtifactStore(str(tmp_path)).read_pointer("m")["revision"] == 40 * 4 + 3


def test_a_large_artifact_is_never_held_in_memory(tmp_path):
    script = """
source, root, target = sys.argv[1:]
store = LocalArtifactStore(root)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
stored = store.put(source, model="m")
store.fetch(stored.remote_path, stored.digest, target)
with store.open_verified(stored.remote_path, stored.digest):
    pass
print(peak() - before)
"""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(96 << 20)
    grown = run(script, tmp_path / "large", tmp_path / "root", tmp_path / "target")
    assert grown < 24 << 20
