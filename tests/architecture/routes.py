"""What the resolver really serves, to be held against what the documents say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.viewsets import ViewSetMixin

METHODS = {"get", "post", "put", "patch", "delete"}


@dataclass(frozen=True)
class Route:
    """One address: its path with ``{}`` for each variable, its view class and its methods by action."""

    path: str
    view: Any
    actions: tuple[tuple[str, str], ...]

    @property
    def methods(self) -> set[str]:
        """The methods it serves, as OpenAPI counts them."""
        return {method for method, _ in self.actions}

    @property
    def lists(self) -> bool:
        """Tell whether GET here answers a list of rows."""
        return ("get", "list") in self.actions and "{}" not in self.path


def routes(prefix: str = "/") -> list[Route]:
    """Every address below ``prefix``."""
    found = (_route(path, pattern) for path, pattern in _walk(get_resolver().url_patterns, ""))
    return [route for route in found if route.path.startswith(prefix)]


def shape(path: str) -> str:
    """A path of the OpenAPI document with its variables made anonymous."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = before + _anonymous(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield path, pattern


def _anonymous(pattern: str) -> str:
    """``<int:pk>/`` and ``^(?P<pk>[^/.]+)/$`` both become ``{}/``."""
    pattern = re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)", "{}", pattern)
    pattern = re.sub(r"<[^>]+>", "{}", pattern)
    return pattern.lstrip("^").removesuffix("$").removesuffix(r"\Z").replace("\\", "")


def _route(path: str, pattern: URLPattern) -> Route:
    callback: Any = pattern.callback
    view = getattr(callback, "cls", None) or getattr(callback, "view_class", callback)
    actions = getattr(callback, "actions", None)
    if actions is None:
        served = {method for method in METHODS if hasattr(view, method)}
        actions = {method: method for method in served}
    names = set(getattr(view, "http_method_names", METHODS)) if _is_class(view) else METHODS
    kept = tuple(sorted((method, action) for method, action in actions.items() if method in METHODS & names))
    return Route(f"/{path}", view, kept)


def _is_class(view: Any) -> bool:
    return isinstance(view, type) and (issubclass(view, ViewSetMixin) or hasattr(view, "as_view"))
