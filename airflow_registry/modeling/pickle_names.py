"""Which names in a pickle can do harm, which ones models are made of, and which ones nobody here knows.

The lists sort names for people who read a finding. They let nothing through and stop nothing: whoever wants to do harm can find
a harmless-looking name that does it.
"""

from __future__ import annotations

import _compat_pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_registry.domain.findings import Kind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modules that start processes, open files and connections, run or load code, or reach into the interpreter.
_DANGEROUS_MODULES = _words(
    """
    os posix nt posixpath ntpath subprocess _posixsubprocess sys shutil socket _socket ssl ctypes _ctypes cffi importlib imp runpy
    pty commands webbrowser code codeop marshal pickle _pickle cPickle shelve dill inspect gc tempfile glob fileinput zipimport
    pkgutil site ensurepip venv pip distutils setuptools asyncio multiprocessing _thread concurrent signal atexit http urllib
    urllib2 httplib requests httpx aiohttp ftplib smtplib telnetlib poplib imaplib nntplib xmlrpc socketserver sqlite3 dbm pdb bdb
    timeit trace cProfile profile doctest unittest pydoc idlelib lib2to3 platform antigravity ast dis symtable tracemalloc
    faulthandler resource pwd grp crypt readline rlcompleter linecache tokenize py_compile compileall zipapp zipfile tarfile boto3
    botocore paramiko fabric psycopg psycopg2 sqlalchemy airflow joblib.parallel joblib.memory logging.config logging.handlers
    """
)
_DANGEROUS_NAMES = _words(
    """
    builtins.eval builtins.exec builtins.compile builtins.open builtins.__import__ builtins.getattr builtins.setattr
    builtins.delattr builtins.globals builtins.locals builtins.vars builtins.breakpoint builtins.input builtins.__build_class__
    builtins.execfile builtins.apply builtins.file builtins.reload builtins.help builtins.exit operator.attrgetter
    operator.methodcaller operator.call _operator.attrgetter _operator.methodcaller _operator.call functools.reduce
    _functools.reduce copyreg.add_extension copyreg.constructor numpy.load numpy.fromfile numpy.memmap numpy.loadtxt
    numpy.genfromtxt numpy.save numpy.savetxt numpy.DataSource pandas.eval pandas.read_pickle pandas.io.pickle.read_pickle
    joblib.load joblib.dump joblib.numpy_pickle.load torch.load io.open io.FileIO io.open_code _io.open _io.FileIO
    torch.serialization.load cloudpickle.loads cloudpickle.load types.FunctionType types.CodeType types.LambdaType
    types.MethodType types.ModuleType
    """
)
_DANGEROUS_PREFIXES = (
    "numpy.testing.", "numpy.f2py.", "numpy.ctypeslib.", "numpy.distutils.", "pandas.core.computation.", "torch.hub.", "torch.utils.",
    "torch._inductor.", "torch.jit.", "torch.package.", "torch.distributed.", "scipy._lib._testutils", "sklearn.utils._testing",
    "cloudpickle.cloudpickle._make_", "cloudpickle.cloudpickle._builtin_type", "cloudpickle.cloudpickle.subimport",
    "cloudpickle.cloudpickle_fast.", "dill._dill.",
)  # fmt: skip
_PARTS = _words(
    """
    system popen spawn exec eval execfile __import__ import_module __globals__ __builtins__ __subclasses__ __bases__ __mro__
    __class__ __dict__ __code__ __getattribute__ __reduce__ __reduce_ex__ __loader__ __spec__ run_module
    """
)
# Packages whose classes models are made of.
_KNOWN_PACKAGES = _words(
    """
    sklearn numpy scipy pandas joblib lightgbm xgboost catboost statsmodels torch pyarrow polars imblearn category_encoders skops
    collections datetime decimal fractions uuid zoneinfo enum array numbers random re itertools mlflow
    """
)
_KNOWN_NAMES = _words(
    """
    copyreg._reconstructor copyreg.__newobj__ copyreg.__newobj_ex__ _codecs.encode functools.partial operator.itemgetter
    _operator.itemgetter re._compile collections.deque collections.defaultdict datetime.date datetime.datetime datetime.time
    datetime.timedelta datetime.timezone array._array_reconstructor array.array uuid.UUID itertools.chain itertools.count
    numpy.dtype numpy.ndarray numpy.generic numpy.matrix numpy.recarray numpy.random.mtrand.RandomState
    numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct numpy.core.multiarray.scalar
    numpy._core.multiarray.scalar numpy.core.numeric._frombuffer numpy._core.numeric._frombuffer numpy.ma.core._mareconstruct
    pandas.core.indexes.base._new_Index pandas._libs.internals._unpickle_block pandas._libs.arrays.__pyx_unpickle_NDArrayBacked
    pyarrow.lib._restore_array pyarrow.lib.py_buffer pyarrow.lib.type_for_alias sklearn.metrics._dist_metrics.newObj
    sklearn.neighbors._kd_tree.newObj sklearn.neighbors._ball_tree.newObj sklearn.utils.validation.check_array
    torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2 torch._utils._rebuild_parameter
    """
)
_KNOWN_PREFIXES = (
    "numpy.random._pickle.__",
    "numpy.random.bit_generator.__pyx_unpickle_",
    "sklearn._loss._loss.__pyx_unpickle_",
    "sklearn.tree._tree.__pyx_unpickle_",
)
_BUILTINS = _words(
    """
    object list dict set frozenset tuple int float complex str bytes bytearray bool slice range Ellipsis NotImplemented type
    unicode long xrange
    """
)
_NUMPY_NUMBERS = ("bool", "int", "uint", "float", "complex", "str_", "bytes_", "object_", "void", "datetime64", "timedelta64", "longdouble")


def kind_of(module: str, name: str) -> Kind:
    """How a name in a pickle is called: `dangerous`, `unknown` or `known`.

    Args:
        module: As it stands in the pickle; the names of Python 2 are understood.
        name: With dots where something inside something is meant.
    """
    pairs = {(module, name), _of_python_3(module, name)}
    kinds = [_kind(*pair) for pair in pairs]
    return "dangerous" if "dangerous" in kinds else "known" if "known" in kinds else "unknown"


def _of_python_3(module: str, name: str) -> tuple[str, str]:
    """Pickles of Python 2 are translated while they are loaded."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[module, name]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def _kind(module: str, name: str) -> Kind:
    full = f"{module}.{name}"
    if _is_dangerous(module, name, full):
        return "dangerous"
    root, last = module.partition(".")[0], name
    if module == "builtins":
        return "known" if name in _BUILTINS or name.endswith(("Error", "Exception", "Warning")) else "unknown"
    if full in _KNOWN_NAMES or full.startswith(_KNOWN_PREFIXES) or (module == "numpy" and name.startswith(_NUMPY_NUMBERS)):
        return "known"
    return "known" if root in _KNOWN_PACKAGES and "." not in name and _is_class(last) else "unknown"


def _is_dangerous(module: str, name: str, full: str) -> bool:
    parents = module.split(".")
    roots = {".".join(parents[: length + 1]) for length in range(len(parents))}
    if roots & _DANGEROUS_MODULES or full in _DANGEROUS_NAMES or full.startswith(_DANGEROUS_PREFIXES):
        return True
    # `sklearn.utils` has `os` among its names, so what stands behind a dot says as much as the module
    parts = set(name.split("."))
    return bool(parts & _PARTS) or ("." in name and bool(parts & _DANGEROUS_MODULES)) or name in {"os", "sys", "subprocess"}


def _is_class(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()
