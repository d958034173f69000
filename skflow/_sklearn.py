"""The only place that knows scikit-learn's private names and differences between versions."""

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.tree._tree import Tree
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9 there are no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in without callbacks."""

        def _init_callback_context(self, **kwargs: Any) -> "_NoContext":
            return _NoContext()

    class _NoContext:
        def subcontext(self, **kwargs: Any) -> "_NoContext":
            return self

        def call_on_fit_task_begin(self, **kwargs: Any) -> "_NoContext":
            return self

        def call_on_fit_task_end(self, **kwargs: Any) -> bool:
            return False

    def with_callbacks(method):  # type: ignore[no-untyped-def]
        return method


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "Tree",
    "check_method_params",
    "check_sample_weight",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "with_callbacks",
]
