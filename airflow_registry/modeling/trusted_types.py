"""The types that skops may build for us beside its own list, reviewed one by one.

skops trusts names. A trusted name may be built in every way that a file can ask for: called with any arguments that the file
holds, made without `__init__` and filled with any attributes, used as the type of a dictionary's keys, or returned as it is.
So an entry must be harmless in all of these, and stay so: no code runs that the file brings or chooses, no file, network or
process is touched.

Never on this list: `builtins.*`, `functools.partial` and `operator.*` (they call what the file names), functions of users,
scorers (they call a method by name), whole families of functions. Never read from the artifact.
"""

from __future__ import annotations

_TREES = frozenset(
    {
        # Decision trees, forests, gradient boosting, isolation forests: numbers only. Its indices are checked by index_bounds.
        "sklearn.tree._tree.Tree",
        # Trees of histogram gradient boosting: three arrays. Checked by index_bounds.
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        # Bin edges of histogram gradient boosting: a transformer with arrays. (skops trusts it since 0.14.)
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    }
)

_NEIGHBOURS = frozenset(
    {
        # The search trees of nearest neighbours: arrays and a distance. Checked by index_bounds.
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        # Distances without parameters. The one that calls a function (PyFuncDistance) and those that read a weight per column
        # without looking at its length stay out.
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    }
)

_LOSSES = frozenset(
    {
        # Loss and link functions of gradient boosting and of generalized linear models: formulas over arrays, with at most one
        # number as parameter. (skops trusts most of them since 0.14.)
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
    }
)

_PARTS = frozenset(
    {
        # The type of an array (SimpleImputer, KBinsDiscretizer keep one): a description. Arrays of objects hold nodes that are
        # audited like all others, and numpy's own file format is read without pickle.
        "numpy.dtype",
        # An abstract number type, as an argument of make_column_selector; it cannot be called.
        "numpy.number",
        # Turns its argument into an array, or raises (histogram gradient boosting with categories; see partials).
        "sklearn.utils.validation.check_array",
        # Picks columns by name pattern or type while fitting: three plain attributes.
        "sklearn.compose._column_transformer.make_column_selector",
        # A dictionary whose keys can be read as attributes (voting, stacking).
        "sklearn.utils._bunch.Bunch",
        # One fold of a calibrated classifier, and its sigmoid: an estimator, calibrators, two numbers.
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        # Says the one class that a column of a multi-class problem has: one array.
        "sklearn.multiclass._ConstantPredictor",
        # Optimizers of neural networks: arrays and step sizes, used while fitting.
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        # How a grid search split its rows: a count, a flag, a seed.
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.model_selection._split.TimeSeriesSplit",
        # A grid search without `scoring`: calls the estimator's own `score`.
        "sklearn.metrics._scorer._PassthroughScorer",
        # Univariate selection: three tests, formulas over arrays.
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
    }
)

_KERNELS = frozenset(
    {
        # Gaussian processes: a binary classifier of arrays, and kernels that are formulas over arrays. PairwiseKernel calls a
        # metric by name and stays out.
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.DotProduct",
        "sklearn.gaussian_process.kernels.Matern",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.RationalQuadratic",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
    }
)

TRUSTED_TYPES: frozenset[str] = _TREES | _NEIGHBOURS | _LOSSES | _PARTS | _KERNELS
