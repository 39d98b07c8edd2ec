"""The application: three pages to read, and nothing that changes anything.

Every route stands behind the guard. The framework's own pages (documentation, schema) are off, because a guard does not cover them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request  # noqa: TID253  this module is imported with the first request only
from fastapi.responses import HTMLResponse  # noqa: TID253

from airflow_registry.errors import InvalidInputError, NotFoundError, RegistryError, StorageUnavailableError
from airflow_registry.web import pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Response

    from airflow_registry.service.protocol import Registry

_STATUS: tuple[tuple[type[RegistryError], int], ...] = ((NotFoundError, 404), (InvalidInputError, 400), (StorageUnavailableError, 503))
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{pages.STYLE_HASH}'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(open_registry: Callable[[], Registry], guard: Callable[..., Any]) -> FastAPI:
    """The pages of one registry.

    Args:
        open_registry: Opens it; called for every request, in a thread.
        guard: A FastAPI dependency that raises unless the user may read models.
    """
    app = FastAPI(title="Models", dependencies=[Depends(guard)], docs_url=None, redoc_url=None, openapi_url=None)
    app.state.open_registry = open_registry
    app.get("/models", response_class=HTMLResponse)(_models)
    app.get("/models/{model}", response_class=HTMLResponse)(_model)
    app.get("/models/{model}/versions/{number}", response_class=HTMLResponse)(_version)
    app.add_exception_handler(RegistryError, _failed)  # type: ignore[arg-type]  # Starlette's type knows no subclasses
    app.middleware("http")(_with_headers)
    return app


def _models(request: Request) -> str:
    return pages.models(_registry(request).models(), base=_base(request))


def _model(request: Request, model: str) -> str:
    registry = _registry(request)
    return pages.model(registry.versions(model), registry.history(model), base=_base(request))


def _version(request: Request, model: str, number: str) -> str:
    registry = _registry(request)
    version = registry.get(f"{model}:{number}")
    decisions = [one for one in registry.decisions(model) if one.number == version.number]
    changes = [one for one in registry.history(model) if one.number == version.number]
    return pages.version(version, decisions, changes, base=_base(request))


def _registry(request: Request) -> Registry:
    return request.app.state.open_registry()  # type: ignore[no-any-return]  # app.state holds anything


def _base(request: Request) -> str:
    """The path under which the application is mounted, a proxy's prefix included."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _failed(request: Request, error: RegistryError) -> HTMLResponse:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return HTMLResponse(pages.failure(error, base=_base(request)), status_code=status)


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    return response
